// Token-level speculation changes no token: engines with proposers against one without.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/loaded_models.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr DrawKey kDraw{5, 1, 2};
// Proposing pays whatever is kept, so that every kind of step is seen.
const StepCosts kFreeRows{{1, 1, 1, 1, 1}, {0.01, 0.01, 0.01, 0.01, 0.01}};

SpeculationOptions proposers(bool ngram, bool draft, int max_draft_tokens = 8) {
  return {.ngram = ngram, .draft = draft, .max_draft_tokens = max_draft_tokens, .costs = kFreeRows};
}

struct Setup {
  const char* name;
  SpeculationOptions speculation;
  std::uint64_t draft_seed;  // 1: the draft has the target's weights, so that its proposals are kept
  bool target_keeps;         // proposals of a kind that must be kept now and then
};

const Setup kSetups[] = {
    {"ngram", proposers(true, false), 2, true},      {"good_draft", proposers(false, true), 1, true},
    {"bad_draft", proposers(false, true), 2, false}, {"one_token", proposers(false, true, 1), 1, true},
    {"both", proposers(true, true), 1, true},
};

class speculation : public testing::TestWithParam<Setup> {};
INSTANTIATE_TEST_SUITE_P(proposers, speculation, testing::ValuesIn(kSetups),
                         [](const auto& info) { return info.param.name; });

/// A conversation of both models: who writes how much.
std::vector<Generation> write(Engine& engine, const SamplingParams& sampling, TokenIds text) {
  SingleSequence sequence(engine);
  std::vector<Generation> answers;
  for (const auto& [role, tokens] : {std::pair{Role::draft, 40},
                                     {Role::target, 30},
                                     {Role::target, 1},
                                     {Role::draft, 2},
                                     {Role::target, 40},
                                     {Role::draft, 20}}) {
    answers.push_back(sequence.generate(request_for(role, text, tokens), sampling, kDraw, false));
    text.insert(text.end(), answers.back().ids.begin(), answers.back().ids.end());
  }
  sequence.close();
  return answers;
}

/// Whether two tokens behind `text` are a near tie, which rounding between steps of different row counts may decide
/// either way: their log-probabilities with the noise of sampling differ by less than 1e-4.
bool is_tie(Engine& engine, Role role, TokenIds text, TokenId a, TokenId b, const SamplingParams& sampling) {
  const auto score_of = [&](TokenId id) {
    TokenIds ids = text;
    ids.push_back(id);
    const double logprob = engine.score(role, ids).back();
    if (sampling.temperature == 0) return logprob;
    const auto purpose = static_cast<std::uint32_t>(role == Role::target ? Purpose::takeover : Purpose::segment);
    return logprob / sampling.temperature + gumbel_noise(kDraw.seed, static_cast<std::uint32_t>(text.size()),
                                                         kDraw.problem, kDraw.run, purpose,
                                                         static_cast<std::uint32_t>(id));
  };
  return std::abs(score_of(a) - score_of(b)) < 1e-4;
}

TEST_P(speculation, gives_the_tokens_of_plain_decoding) {
  for (const bool is_greedy : {true, false}) {
    const SamplingParams& sampling = is_greedy ? kGreedy : kSampled;
    const int prompt = is_greedy ? 40 : 3;
    std::vector<Generation> plain;
    LoadedModels with({}, 512, DType::float32, GetParam().speculation, GetParam().draft_seed);
    LoadedModels reference({}, 512, DType::float32, {}, GetParam().draft_seed);
    reference.drive([&](Engine& engine) { plain = write(engine, sampling, prompt_of(prompt)); });
    with.drive([&](Engine& engine) {
      const std::vector<Generation> found = write(engine, sampling, prompt_of(prompt));
      std::int64_t kept = 0;
      std::int64_t steps = 0;
      std::int64_t tokens = 0;
      TokenIds text = prompt_of(prompt);
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto [here, there] = std::ranges::mismatch(found[i].ids, plain[i].ids);
        text.insert(text.end(), found[i].ids.begin(), here);
        if (here != found[i].ids.end() && there != plain[i].ids.end()) {
          const Role role = i == 0 || i == 3 || i == 5 ? Role::draft : Role::target;
          EXPECT_TRUE(is_tie(engine, role, text, *here, *there, sampling))
              << "answer " << i << ", prompt of " << prompt << ": " << *here << " is not " << *there;
          break;  // what follows is another text
        }
        EXPECT_EQ(found[i].ids.size(), plain[i].ids.size());
        EXPECT_EQ(found[i].reason, plain[i].reason);
        const std::int64_t accepted = found[i].ngram.num_accepted() + found[i].draft_model.num_accepted();
        // Each step gives what it keeps of the proposals and a token of its own, but one that ends within a kept run.
        const auto beyond = found[i].steps + accepted - static_cast<std::int64_t>(found[i].ids.size());
        EXPECT_TRUE(beyond == 0 || beyond == 1) << beyond;
        kept += accepted;
        steps += found[i].times.decode_steps;
        tokens += static_cast<std::int64_t>(found[i].ids.size());
        EXPECT_LE(found[i].ngram.num_accepted(), found[i].ngram.num_proposed());
      }
      if (GetParam().target_keeps) {
        EXPECT_GT(kept, 0);
        EXPECT_LT(steps, tokens);
      }
    });
  }
}

TEST_P(speculation, ends_at_an_eos_inside_a_kept_run) {
  std::vector<Generation> plain;
  const TokenIds prompt = prompt_of(12);
  LoadedModels without({}, 512, DType::float32, {}, GetParam().draft_seed);
  without.drive([&](Engine& engine) { plain = write(engine, kSampled, prompt); });
  if (world().rank() == 0) {
    ASSERT_FALSE(plain.empty());
  }
  // Every rank needs the same list: tokens that the first answers hold.
  TokenIds eos{0, 0};
  if (world().rank() == 0) eos = {plain[0].ids[30], plain[1].ids[17]};
  world().broadcast(std::as_writable_bytes(std::span(eos)));
  std::vector<Generation> expected;
  LoadedModels ended(eos, 512, DType::float32, {}, GetParam().draft_seed);
  ended.drive([&](Engine& engine) { expected = write(engine, kSampled, prompt); });
  LoadedModels with(eos, 512, DType::float32, GetParam().speculation, GetParam().draft_seed);
  with.drive([&](Engine& engine) {
    const std::vector<Generation> found = write(engine, kSampled, prompt);
    EXPECT_EQ(found[0].reason, EndReason::eos);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].ids, expected[i].ids) << "answer " << i;
      EXPECT_EQ(found[i].reason, expected[i].reason) << "answer " << i;
    }
  });
}

TEST_P(speculation, several_sequences_share_steps_of_uneven_widths) {
  const auto run = [&](Engine& engine, bool speculates) {
    std::vector<int> sequences;
    std::vector<TokenIds> answers;
    for (int i = 0; i < 5; ++i) {
      sequences.push_back(engine.open(90).value());
      engine.start(sequences.back(), request_for(Role::target, prompt_of(3 + 9 * i, i), 20 + 5 * i),
                   {.sampling = kSampled, .draw = {7, static_cast<std::uint32_t>(i), 0}, .speculates = speculates});
    }
    std::vector<int> waiting = sequences;
    while (!waiting.empty()) {
      for (const int ended : engine.run(waiting)) std::erase(waiting, ended);
    }
    for (const int sequence : sequences) {
      answers.push_back(engine.take(sequence).ids);
      engine.close(sequence);
    }
    return answers;
  };
  LoadedModels models({}, 1024, DType::float32, GetParam().speculation, GetParam().draft_seed);
  models.drive([&](Engine& engine) { EXPECT_EQ(run(engine, true), run(engine, false)); });
}

TEST(speculation_of_the_draft, leaves_it_next_to_nothing_to_catch_up_on) {
  LoadedModels models({}, 512, DType::float32, proposers(false, true), 1);
  models.drive_one([&](SingleSequence& sequence) {
    TokenIds text = prompt_of(20);
    for (const Role role : {Role::draft, Role::target}) {
      const TokenIds ids = sequence.generate(request_for(role, text, 40), kSampled, kDraw, false).ids;
      text.insert(text.end(), ids.begin(), ids.end());
    }
    const Generation next = sequence.generate(request_for(Role::draft, text, 5), kSampled, kDraw, false);
    EXPECT_LE(next.times.prefilled, 2) << "the draft has seen what it proposed and was kept";
  });
}

TEST(forced_tokens, are_emitted_and_accepted_at_the_given_rate) {
  TokenIds forced;
  for (int i = 0; i < 300; ++i) forced.push_back((i * 91 + i * i) % 199);
  for (const double acceptance : {0.0, 0.75, 1.0}) {
    LoadedModels models({}, 512, DType::float32, proposers(false, true), 2, acceptance);
    models.drive([&](Engine& engine) {
      const int sequence = engine.open(400).value();
      const Generation found = engine.generate(sequence, request_for(Role::target, prompt_of(9), 300),
                                               {.sampling = kSampled, .draw = kDraw, .forced = forced});
      EXPECT_EQ(found.ids, forced);
      std::int64_t tested = 0;  // first proposals of a step
      tested += found.draft_model.proposed[0];
      const double share = static_cast<double>(found.draft_model.accepted[0]) / static_cast<double>(tested);
      EXPECT_NEAR(share, acceptance, acceptance == 0.75 ? 0.15 : 0);
      engine.close(sequence);
    });
  }
}

TEST(forced_tokens, make_the_hits_of_ngrams_real) {
  TokenIds forced;
  for (int i = 0; i < 200; ++i) forced.push_back(i % 17);
  LoadedModels models({}, 512, DType::float32, proposers(true, false));
  models.drive([&](Engine& engine) {
    const int sequence = engine.open(300).value();
    const Generation found = engine.generate(sequence, request_for(Role::draft, prompt_of(9), 200),
                                             {.sampling = kSampled, .draw = kDraw, .forced = forced});
    EXPECT_EQ(found.ids, forced);
    EXPECT_LT(found.times.decode_steps, 60) << "all but the first period repeats";
    engine.close(sequence);
  });
}

}  // namespace
}  // namespace specthink
