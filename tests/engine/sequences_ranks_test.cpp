// Several sequences of one engine: shared steps give each the tokens that it has alone.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "engine/loaded_models.h"
#include "specthink/engine/engine.h"
#include "specthink/engine/runner.h"

namespace specthink {
namespace {

using testing_support::kGreedy;
using testing_support::kSampled;
using testing_support::LoadedModels;
using testing_support::prompt_of;
using testing_support::request_for;
using testing_support::SingleSequence;

/// Prompts of a plain row, a small catch-up, and prefills of one and of several steps.
std::vector<TokenIds> prompts() { return {prompt_of(1, 1), prompt_of(7, 2), prompt_of(40, 3), prompt_of(200, 4)}; }

class sequences : public testing::TestWithParam<SamplingParams> {};

TEST_P(sequences, share_steps_and_get_the_tokens_that_they_have_alone) {
  LoadedModels models({}, 2048);
  models.drive([&](Engine& engine) {
    std::vector<TokenIds> alone;
    std::vector<int> lengths{30, 11, 25, 30};
    for (std::size_t i = 0; i < prompts().size(); ++i) {
      const int sequence = engine.open(300).value();
      const DrawKey draw{3, 0, static_cast<std::uint32_t>(i)};
      alone.push_back(
          engine.generate(sequence, request_for(Role::target, prompts()[i], lengths[i]), {GetParam(), draw}).ids);
      engine.close(sequence);
    }

    std::vector<int> running;
    std::map<int, std::size_t> index_of;
    for (std::size_t i = 0; i < prompts().size(); ++i) {
      const int sequence = engine.open(300).value();
      const DrawKey draw{3, 0, static_cast<std::uint32_t>(i)};
      engine.start(sequence, request_for(Role::target, prompts()[i], lengths[i]), {GetParam(), draw});
      running.push_back(sequence);
      index_of[sequence] = i;
    }
    std::size_t commands = 0;
    while (!running.empty()) {
      const std::vector<int> ended = engine.run(running);
      ASSERT_FALSE(ended.empty());
      for (const int sequence : ended) {
        const std::size_t i = index_of.at(sequence);
        const Generation generation = engine.take(sequence);
        EXPECT_EQ(generation.ids, alone[i]) << "sequence " << i;
        EXPECT_EQ(generation.reason, EndReason::length);
        std::erase(running, sequence);
      }
      ++commands;
    }
    EXPECT_LE(commands, 3u) << "two of them end together";
  });
}

INSTANTIATE_TEST_SUITE_P(samplings, sequences,
                         testing::Values(kGreedy, kSampled, SamplingParams{.temperature = 0.8f, .top_p = 0.9f}));

TEST(sequence_pages, are_given_back_and_used_again_in_any_order) {
  LoadedModels models({}, 6 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(150, 5);
    SingleSequence whole(engine);
    const TokenIds expected = whole.generate(request_for(Role::draft, prompt, 40), kGreedy, {}, false).ids;
    EXPECT_EQ(engine.open(10), std::nullopt) << "no page is left";
    whole.close();

    const std::vector<int> small{engine.open(100).value(), engine.open(100).value(), engine.open(100).value(),
                                 engine.open(100).value()};
    EXPECT_EQ(engine.open(300), std::nullopt) << "two pages are left";
    engine.close(small[0]);
    engine.close(small[2]);
    const int scattered = engine.open(400).value();  // pages 0, 2, 4 and 5
    EXPECT_EQ(engine.generate(scattered, request_for(Role::draft, prompt, 40), {kGreedy, {}}).ids, expected);
    const TokenIds other = prompt_of(20, 6);
    const TokenIds beside = engine.generate(small[1], request_for(Role::draft, other, 20), {kGreedy, {}}).ids;
    EXPECT_EQ(engine.generate(small[3], request_for(Role::draft, other, 20), {kGreedy, {}}).ids, beside);
  });
}

TEST(sequence_pages, a_sequence_of_one_model_takes_none_of_the_other) {
  LoadedModels models({}, 4 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(50, 3);
    const auto generate = [&](int sequence, Role role) {
      return engine.generate(sequence, request_for(role, prompt, 20), {kGreedy, {}}).ids;
    };
    const int both = engine.open(engine.capacity()).value();
    const TokenIds by_target = generate(both, Role::target);
    const TokenIds by_draft = generate(both, Role::draft);
    engine.close(both);

    const int of_target = engine.open(engine.capacity(), Role::target).value();
    EXPECT_EQ(engine.open(10, Role::target), std::nullopt);
    const int of_draft = engine.open(engine.capacity(), Role::draft).value();
    EXPECT_EQ(generate(of_draft, Role::draft), by_draft);
    EXPECT_EQ(generate(of_target, Role::target), by_target);
    engine.close(of_target);
    engine.close(of_draft);
    EXPECT_TRUE(engine.open(engine.capacity()).has_value());
  });
}

TEST(sequence_pages, a_request_does_not_leave_its_sequence) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const int sequence = engine.open(20).value();
    const TokenIds prompt = prompt_of(15, 1);
    const auto generate = [&](std::span<const TokenId> prefix, int max_tokens) {
      return engine.generate(sequence, request_for(Role::target, prefix, max_tokens), {kGreedy, {}}).ids.size();
    };
    EXPECT_THROW(generate(prompt, 6), InternalError);
    EXPECT_THROW(generate({}, 6), InternalError);
    // The other ranks have not heard of these, and go on.
    EXPECT_EQ(generate(prompt, 5), 5u);
  });
}

/// Runs of one model alone, which need no tokenizer.
RunSetup normal_setup(const TokenIds& prompt, Role role, int max_tokens) {
  RunSetup setup;
  setup.normal_mode = true;
  setup.normal_role = role;
  setup.prompt = prompt;
  setup.max_tokens = max_tokens;
  setup.max_model_len = 300;
  return setup;
}

TEST(run_schedules, a_batch_gives_each_run_what_it_gets_alone) {
  LoadedModels models({}, 12 * kPageTokens);  // four sequences of 300 tokens
  models.drive([](Engine& engine) {
    const std::vector<TokenIds> all = prompts();
    const auto options_of = [](std::size_t i) {
      return RunOptions{.sampling = kSampled, .draw = {5, static_cast<std::uint32_t>(i), 0}};
    };
    const auto setup_of = [&](std::size_t i) {
      return normal_setup(all[i % all.size()], i % 3 == 0 ? Role::draft : Role::target, 10 + static_cast<int>(i));
    };
    std::vector<TokenIds> alone;
    for (std::size_t i = 0; i < 9; ++i) alone.push_back(run_schedule(engine, setup_of(i), options_of(i)).result.ids);

    std::size_t given = 0;
    std::map<std::size_t, TokenIds> together;
    std::size_t most_at_once = 0;
    run_schedules(engine, {4}, [&]() -> std::optional<ScheduledRun> {
      if (given == 9) return std::nullopt;
      const std::size_t i = given++;
      most_at_once = std::max(most_at_once, given - together.size());
      return ScheduledRun{setup_of(i), options_of(i), [&together, i](EngineRun run) { together[i] = run.result.ids; }};
    });
    ASSERT_EQ(together.size(), 9u);
    EXPECT_EQ(most_at_once, 4u);
    for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(together[i], alone[i]) << "run " << i;
  });
}

TEST(run_schedules, a_run_waits_until_there_is_room) {
  LoadedModels models({}, 3 * kPageTokens);  // one sequence of 140 tokens and half of another
  models.drive([](Engine& engine) {
    std::size_t given = 0;
    std::vector<std::size_t> ended;
    run_schedules(engine, {3, /*reserve=*/true}, [&]() -> std::optional<ScheduledRun> {
      if (given == 3) return std::nullopt;
      const std::size_t i = given++;
      return ScheduledRun{
          normal_setup(prompt_of(20, 1), Role::target, 120), {.sampling = kGreedy}, [&ended, i](EngineRun run) {
            EXPECT_EQ(run.result.ids.size(), 120u);
            ended.push_back(i);
          }};
    });
    EXPECT_EQ(ended, (std::vector<std::size_t>{0, 1, 2}));
  });
}

/// A long run; a short one when some of the long one's tokens are there; and a third that comes a moment after the
/// short one has ended, as from a client that asks again.
class ComingRuns final : public RunSource {
 public:
  std::optional<ScheduledRun> next(bool) override {
    if (given_ == 0) return given(kLong, 250);
    if (given_ == 1 && written_[kLong] >= 100) return given(kShort, 4);
    if (given_ != 2 || ended_ == 0 || asked_after_end_++ == 0) return std::nullopt;
    return given(kThird, 4);
  }
  bool is_exhausted() override { return given_ == 3; }
  void observe(const PoolStatus&) override {}

  /// Tokens of the long run from the end of the short one to the beginning of the third.
  int written_between() const { return between_; }

 private:
  enum Which { kLong, kShort, kThird };

  ScheduledRun given(Which which, int max_tokens) {
    ++given_;
    if (which == kThird) between_ = written_[kLong] - written_at_end_;
    return {normal_setup(prompt_of(5, 1), Role::target, max_tokens),
            {.sampling = kGreedy,
             .speculates = false,
             .on_token = [this, which](const WrittenToken&) { ++written_[which]; }},
            [this, which](EngineRun) {
              if (which != kShort) return;
              ++ended_;
              written_at_end_ = written_[kLong];
            }};
  }

  int given_ = 0;
  int ended_ = 0;
  int asked_after_end_ = 0;
  int written_at_end_ = 0;
  int between_ = -1;
  std::array<int, 3> written_{};
};

TEST(run_schedules, a_run_that_comes_after_an_end_waits_for_few_steps) {
  LoadedModels models({}, 12 * kPageTokens);
  models.drive([](Engine& engine) {
    ComingRuns runs;
    run_schedules(engine, {3}, runs);
    EXPECT_GE(runs.written_between(), 0);
    EXPECT_LE(runs.written_between(), 2);
  });
}

}  // namespace
}  // namespace specthink
