// Random settings and random answers: what must hold in every run of either loop.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

constexpr int kRuns = 1500;

class RandomRun {
 public:
  RandomRun(const Tokenizer& tokenizer, Compat compat, unsigned seed) : tokenizer_(tokenizer), random_(seed) {
    setup_.settings = settings(compat);
    setup_.tokenizer = &tokenizer;
    setup_.tokenizer_eos = tokenizer.eos_token_id();
    setup_.eos_ids = {*tokenizer.token_id("<eos>"), *tokenizer.token_id("<end>")};
    setup_.ignore_eos = chance(0.1);
    setup_.prompt = tokenizer.encode(std::string(static_cast<std::size_t>(pick(1, 5)), 'Q'));
    setup_.max_tokens = pick(1, 150);
    setup_.max_model_len = chance(0.3) ? pick(6, 100) : 32768;
    if (chance(0.2)) {
      setup_.settings.time_out = pick(1, 60);
      setup_.elapsed_seconds = [this] { return static_cast<double>(requests_); };
    }
  }

  void check() {
    const StopTable triggers(StopAutomaton(setup_.settings.trigger_tokens), tokenizer_);
    setup_.triggers = &triggers;
    const auto schedule = make_schedule(setup_);
    const int interrupt_at = chance(0.1) ? pick(0, 20) : -1;
    std::vector<TokenIds> settled;
    while (const Request* request = schedule->request()) {
      const auto so_far = schedule->settled_ids();
      ASSERT_EQ(so_far.size(), schedule->settled_origins().size());
      settled.emplace_back(so_far.begin(), so_far.end());
      if (requests_++ == interrupt_at) {
        schedule->interrupt();
        ASSERT_EQ(schedule->request(), nullptr);
        break;
      }
      check_request(*request, so_far);
      if (::testing::Test::HasFatalFailure()) return;
      const TokenIds ids = answer(*request, triggers);
      (request->role == Role::draft ? drafted_ : targeted_) += static_cast<int>(ids.size());
      schedule->resume(ids, testing::end_reason(*request, ids, setup_));
    }
    check_result(schedule->result(), settled);
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

  ScheduleSettings settings(Compat compat) {
    ScheduleSettings settings = testing::default_settings();
    settings.compat = compat;
    const std::vector<std::vector<std::string>> triggers = {{"\n\n"}, {".", "\n\n"}, {"so", "owa"}, {"\n\n", "\n\n\n"}};
    settings.trigger_tokens = triggers[static_cast<std::size_t>(pick(0, 3))];
    if (chance(0.4)) settings.help_think_word = chance(0.5) ? "Hm" : "";
    settings.help_recap_words = chance(0.8) ? "R:\n" : "";
    settings.not_reasoning = chance(0.3);
    settings.choose_large = chance(0.5);
    settings.max_target_tokens = pick(1, 12);
    settings.begin = chance(0.3);
    settings.begin_token_num = pick(1, 20);
    settings.original_recap_token_num = pick(1, 20);
    settings.recap_after_negative_num = pick(1, 3);
    settings.add_each_recap = pick(0, 5);
    settings.add_each_neg = pick(0, 2);
    settings.max_recap_token_num = pick(1, 30);
    settings.max_negative_num = pick(1, 4);
    return settings;
  }

  void check_request(const Request& request, std::span<const TokenId> settled) {
    ASSERT_GE(request.max_tokens, 1);
    ASSERT_LE(request.prefix.size() + static_cast<std::size_t>(request.max_tokens),
              static_cast<std::size_t>(setup_.max_model_len));
    ASSERT_EQ(request.stops != nullptr, request.purpose == Purpose::segment);
    ASSERT_EQ(request.role,
              request.purpose == Purpose::segment || request.purpose == Purpose::probe ? Role::draft : Role::target);
    TokenIds known = setup_.prompt;
    known.insert(known.end(), settled.begin(), settled.end());
    ASSERT_GE(request.prefix.size(), known.size());
    ASSERT_TRUE(std::equal(known.begin(), known.end(), request.prefix.begin()));
  }

  /// As an engine would: up to EOS, a trigger or the limit.
  TokenIds answer(const Request& request, const StopTable& triggers) {
    static const std::vector<std::string> texts = {"wait", "yes", "check", "so", "\n", "\n\n", ".", ".\n\n", "a", "b"};
    TokenIds ids;
    StopAutomaton::State state = request.stop_state;
    while (static_cast<int>(ids.size()) < request.max_tokens) {
      const bool eos = chance(0.01);
      const auto text = static_cast<std::size_t>(pick(0, static_cast<int>(texts.size()) - 1));
      ids.push_back(eos ? setup_.eos_ids[static_cast<std::size_t>(pick(0, 1))] : tokenizer_.encode(texts[text]).at(0));
      const StopAutomaton::Step step = triggers.step(state, ids.back());
      state = step.state;
      if ((eos && !setup_.ignore_eos) || (request.stops && step.matched)) break;
    }
    return ids;
  }

  void check_result(const RunResult& result, const std::vector<TokenIds>& settled) {
    const Ledger& ledger = result.ledger;
    EXPECT_EQ(static_cast<std::size_t>(ledger.generated()), result.ids.size());
    EXPECT_EQ(result.origins.size(), result.ids.size());
    EXPECT_EQ(ledger.draft + ledger.draft_wasted, drafted_);
    EXPECT_EQ(ledger.target + ledger.target_wasted, targeted_);
    EXPECT_GE(ledger.draft_wasted, 0);
    EXPECT_GE(ledger.target_wasted, 0);
    EXPECT_LE(setup_.prompt.size() + result.ids.size(), static_cast<std::size_t>(setup_.max_model_len));
    for (const TokenIds& part : settled) {
      ASSERT_LE(part.size(), result.ids.size());
      EXPECT_TRUE(std::equal(part.begin(), part.end(), result.ids.begin()));
    }
    int injected = 0;
    int requested = 0;
    for (const Segment& segment : result.segments) (segment.by == "inject" ? injected : requested) += segment.tokens;
    EXPECT_EQ(requested, drafted_ + targeted_);
    EXPECT_GE(injected, ledger.injected);
    if (setup_.settings.compat == Compat::fixed) check_fixed_result(result);
  }

  void check_fixed_result(const RunResult& result) {
    EXPECT_LE(result.ids.size(), static_cast<std::size_t>(setup_.max_tokens));
    int logged = 0;
    for (const LogEntry& entry : result.log) logged += entry.token_num;
    EXPECT_EQ(logged, result.ledger.target);
    int kept = 0;
    for (const Segment& segment : result.segments) {
      EXPECT_GE(segment.kept_tokens(), 0);
      EXPECT_LE(segment.kept_tokens(), segment.tokens);
      kept += segment.kept_tokens();
    }
    EXPECT_EQ(kept, result.ledger.generated()) << "the trace says of each segment what of it stayed";
    const bool has_eos =
        std::ranges::any_of(result.ids, [&](TokenId id) { return id == setup_.eos_ids[0] || id == setup_.eos_ids[1]; });
    if (!setup_.ignore_eos) {
      EXPECT_EQ(has_eos, result.finish_reason == FinishReason::stop);
    }
    if (result.finish_reason == FinishReason::length) {
      const int limit = std::min(setup_.max_tokens, setup_.max_model_len - static_cast<int>(setup_.prompt.size()));
      EXPECT_EQ(result.ids.size(), static_cast<std::size_t>(limit));
    }
  }

  const Tokenizer& tokenizer_;
  std::mt19937 random_;
  RunSetup setup_;
  int requests_ = 0;
  int drafted_ = 0;
  int targeted_ = 0;
};

void check_random_runs(Compat compat) {
  const Tokenizer tokenizer = testing::small_tokenizer();
  for (unsigned seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun(tokenizer, compat, seed).check();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(schedule, random_runs_of_compat_fixed_keep_their_invariants) { check_random_runs(Compat::fixed); }

TEST(schedule, random_runs_of_compat_original_keep_their_invariants) { check_random_runs(Compat::original); }

}  // namespace
}  // namespace specthink
