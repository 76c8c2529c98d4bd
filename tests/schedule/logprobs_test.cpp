// Each token of a text has the log-probability that its writer gave it there, whatever the policy throws away.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "schedule/scripted_run.h"
#include "specthink/config/policies.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

/// What the scripted model of a role says of an id at a place: no two places or roles agree.
float made_logprob(Role role, std::size_t place, TokenId id) {
  return -(static_cast<float>(place) * 1000 + static_cast<float>(id) * 2 + (role == Role::target ? 1 : 0));
}

struct MadeAnswer {
  TokenIds ids;
  EndReason reason = EndReason::length;
  Measured measured;
};

class RandomModels {
 public:
  explicit RandomModels(unsigned seed) : random_(seed) {}

  MadeAnswer answer(const Request& request, const ScriptedRun& run) {
    static const std::vector<std::string> texts = {"wait", "yes", "check", "so", "\n\n", ".", ".\n\n", "a", "</think>"};
    MadeAnswer answer;
    if (!request.read_ids.empty()) {
      for (std::size_t i = 0; i < request.read_ids.size(); ++i) answer.measured.reading.push_back(-chance());
      return answer;
    }
    while (answer.reason == EndReason::length && std::cmp_less(answer.ids.size(), request.max_tokens)) {
      const bool is_end = chance() < 0.01F;
      const std::string& text = texts[random_() % texts.size()];
      answer.ids.push_back(is_end ? run.setup.eos_ids[0] : run.encode(text).at(0));
      TokenStatistics& token = answer.measured.tokens.emplace_back();
      token.logprob = made_logprob(request.role, request.prefix.size() + answer.ids.size() - 1, answer.ids.back());
      token.entropy = 2 * chance();
      answer.reason = testing::end_reason(request, answer.ids, run.setup);
      if (token.entropy > request.max_entropy) answer.reason = EndReason::uncertain;
    }
    return answer;
  }

 private:
  float chance() { return std::uniform_real_distribution<float>(0, 1)(random_); }

  std::mt19937 random_;
};

void check_run(ScheduleSettings settings, unsigned seed) {
  ScriptedRun run(std::move(settings), 120);
  run.setup.statistics = true;
  RandomModels models(seed);
  std::size_t known = 0;
  const auto check_settled = [&] {
    const auto ids = run.schedule().settled_ids();
    const auto origins = run.schedule().settled_origins();
    const auto logprobs = run.schedule().settled_logprobs();
    ASSERT_EQ(logprobs.size(), ids.size());
    for (; known < ids.size(); ++known) {
      const float found = logprobs[known];
      if (origins[known] == Origin::injected) {
        ASSERT_TRUE(std::isnan(found)) << known;
        continue;
      }
      const Role writer = origins[known] == Origin::target ? Role::target : Role::draft;
      ASSERT_EQ(found, made_logprob(writer, run.setup.prompt.size() + known, ids[known])) << known;
    }
  };
  while (const Request* request = run.schedule().request()) {
    ASSERT_TRUE(request->statistics || !request->read_ids.empty());
    const MadeAnswer answer = models.answer(*request, run);
    run.schedule().resume(answer.ids, answer.reason, answer.measured);
    check_settled();
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_EQ(run.schedule().settled_logprobs().size(), run.schedule().result().ids.size());
}

TEST(logprobs, are_those_of_the_writer_at_this_place) {
  for (const Policy policy : {Policy::sentiment, Policy::relay, Policy::score, Policy::step_entropy,
                              Policy::token_entropy, Policy::random, Policy::target, Policy::draft}) {
    for (const Compat compat : {Compat::fixed, Compat::original}) {
      if (compat == Compat::original && policy != Policy::sentiment) continue;
      for (unsigned seed = 0; seed < 300; ++seed) {
        SCOPED_TRACE(std::string(name_of(policy)) + ", seed " + std::to_string(seed));
        ScheduleSettings settings = testing::default_settings();
        settings.policy = policy;
        settings.compat = compat;
        settings.cues = {"so", "wait"};
        settings.target_rate = TargetRate{false, 0.4};
        settings.thinking_budget = seed % 3 == 0 && compat == Compat::fixed ? 40 : 0;
        settings.begin = seed % 4 == 0;
        settings.begin_token_num = 7;
        check_run(settings, seed);
        if (HasFailure()) return;
      }
    }
  }
}

TEST(logprobs, are_not_there_unless_they_are_wanted) {
  ScriptedRun run(testing::default_settings());
  EXPECT_FALSE(run.schedule().request()->statistics);
  run.answer("so\n\n");
  EXPECT_FALSE(run.schedule().settled_ids().empty());
  EXPECT_TRUE(run.schedule().settled_logprobs().empty());
}

}  // namespace
}  // namespace specthink
