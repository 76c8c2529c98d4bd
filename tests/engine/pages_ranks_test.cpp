// Pages that sequences get as they grow, share and lose: none of it changes a token.
#include <gtest/gtest.h>

#include <map>
#include <vector>

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

TokenIds alone(Engine& engine, const Request& request, const RequestOptions& options) {
  const int sequence = engine.open(engine.capacity()).value();
  const TokenIds ids = engine.generate(sequence, request, options).ids;
  engine.close(sequence);
  return ids;
}

/// Runs a request that is started, with pages for a little more at a time.
Generation run_growing(Engine& engine, int sequence, std::int64_t most, const Engine::RunLimits& limits = {}) {
  while (true) {
    EXPECT_TRUE(engine.reserve(sequence, std::min(most, engine.length(sequence) + 40)));
    if (!engine.run(std::span(&sequence, 1), limits).empty()) return engine.take(sequence);
  }
}

TEST(pages, grow_with_the_sequence) {
  LoadedModels models({}, 8 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(90, 2);
    const Request request = request_for(Role::target, prompt, 300);
    const TokenIds expected = alone(engine, request, {kSampled, {}});
    const int sequence = engine.open(500, 100, std::nullopt).value();
    EXPECT_EQ(engine.num_free_pages(), 7);
    engine.start(sequence, request, {kSampled, {}});
    EXPECT_EQ(run_growing(engine, sequence, 500).ids, expected);
    EXPECT_EQ(engine.num_free_pages(), 8 - pages_for(390));
    EXPECT_FALSE(engine.open(1020, 1020, std::nullopt)) << "there are not as many pages";
    engine.close(sequence);
    EXPECT_EQ(engine.num_free_pages(), 8);
  });
}

TEST(pages, a_sequence_that_loses_them_in_the_middle_goes_on_as_before) {
  for (const bool speculates : {false, true}) {
    LoadedModels models({}, 8 * kPageTokens, DType::float32, {.ngram = speculates, .draft = speculates});
    models.drive([](Engine& engine) {
      const TokenIds prompt = prompt_of(90, 2);
      const Request request = request_for(Role::target, prompt, 200);
      const TokenIds expected = alone(engine, request, {kSampled, {}});
      for (const std::int64_t max_prefill : {0, 50}) {
        const int sequence = engine.open(400, 100, std::nullopt).value();
        engine.start(sequence, request, {kSampled, {}});
        for (int turn = 0;; ++turn) {
          ASSERT_TRUE(engine.reserve(sequence, engine.length(sequence) + 40));
          if (!engine.run(std::span(&sequence, 1), {.max_steps = 9, .max_prefill = max_prefill}).empty()) break;
          // Not for ever: a long text takes more turns to prefill again than lie between two losses.
          const bool evicts = turn % 5 == 1 && turn < 25;
          if (evicts) engine.evict(sequence);
          EXPECT_EQ(engine.has_pages(sequence), !evicts);
        }
        const Generation generation = engine.take(sequence);
        EXPECT_EQ(generation.ids, expected);
        EXPECT_GT(generation.times.prefilled, 300) << "its positions were prefilled again";
        engine.close(sequence);
      }
    });
  }
}

TEST(pages, a_prefill_in_parts_gives_the_same_tokens_while_others_go_on) {
  LoadedModels models({}, 16 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds long_prompt = prompt_of(300, 3);
    const TokenIds short_prompt = prompt_of(20, 4);
    const TokenIds of_long = alone(engine, request_for(Role::draft, long_prompt, 12), {kGreedy, {}});
    const TokenIds of_short = alone(engine, request_for(Role::draft, short_prompt, 150), {kGreedy, {}});
    const std::vector<int> both{engine.open(400).value(), engine.open(400).value()};
    std::size_t seen = 0;
    engine.start(both[0], request_for(Role::draft, short_prompt, 150), {kGreedy, {}}, [&](TokenId, float) { ++seen; });
    std::size_t before = 0;
    engine.start(both[1], request_for(Role::draft, long_prompt, 12), {kGreedy, {}}, [&](TokenId, float) {
      if (before == 0) before = seen;
    });
    std::map<int, TokenIds> ids;
    std::vector<int> running = both;
    while (!running.empty()) {
      for (const int ended : engine.run(running, {.max_prefill = 64})) {
        ids[ended] = engine.take(ended).ids;
        std::erase(running, ended);
      }
    }
    EXPECT_EQ(ids[both[1]], of_long);
    EXPECT_EQ(ids[both[0]], of_short);
    EXPECT_GT(before, 4U) << "the other one wrote between the parts";
    EXPECT_LT(before, 60U) << "and did not keep it waiting to its end";
  });
}

TEST(pages, samples_of_a_prompt_share_them) {
  LoadedModels models({}, 12 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(300, 3);  // two whole pages and a part
    TokenIds other = prompt;
    other[200] += 1;  // one page in common
    const auto request_of = [&](Role role, std::size_t i) { return request_for(role, i < 3 ? prompt : other, 40); };
    const auto options = [](std::size_t i) { return RequestOptions{kSampled, {1, 0, static_cast<std::uint32_t>(i)}}; };
    std::map<Role, std::vector<TokenIds>> expected;
    for (const Role role : {Role::target, Role::draft}) {
      for (std::size_t i = 0; i < 4; ++i) expected[role].push_back(alone(engine, request_of(role, i), options(i)));
    }
    std::vector<int> sequences;
    std::map<int, std::size_t> index_of;
    for (std::size_t i = 0; i < 4; ++i) {
      sequences.push_back(engine.open(350).value());
      index_of[sequences.back()] = i;
    }
    EXPECT_EQ(engine.num_free_pages(), 0);
    for (const Role role : {Role::target, Role::draft}) {
      for (const int sequence : sequences)
        engine.start(sequence, request_of(role, index_of[sequence]), options(index_of[sequence]));
      std::int64_t prefilled = 0;
      for (std::vector<int> running = sequences; !running.empty();) {
        for (const int ended : engine.run(running)) {
          const Generation generation = engine.take(ended);
          EXPECT_EQ(generation.ids, expected[role][index_of[ended]]) << index_of[ended];
          prefilled += generation.times.prefilled;
          std::erase(running, ended);
        }
      }
      EXPECT_EQ(prefilled, 300 + 100) << name_of(role) << ": the rest is shared, or copied";
    }
    EXPECT_EQ(engine.num_free_pages(), 5) << "three sequences read pages of others: two, two and one, of each model";
    for (const auto& [sequence, index] : index_of) engine.close(sequence);
    EXPECT_EQ(engine.num_free_pages(), 12);
  });
}

TEST(pages, part_of_one_is_copied_for_each_sample) {
  LoadedModels models({}, 4 * kPageTokens);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(90, 3);
    const auto options = [](std::uint32_t run) { return RequestOptions{kSampled, {1, 0, run}}; };
    std::vector<TokenIds> expected;
    for (std::uint32_t run = 0; run < 3; ++run) {
      expected.push_back(alone(engine, request_for(Role::target, prompt, 30), options(run)));
    }
    EXPECT_NE(expected[0], expected[1]);
    std::vector<int> running;
    for (std::uint32_t run = 0; run < 3; ++run) {
      running.push_back(engine.open(124).value());
      engine.start(running.back(), request_for(Role::target, prompt, 30), options(run));
    }
    const std::vector<int> sequences = running;
    std::int64_t prefilled = 0;
    while (!running.empty()) {
      for (const int ended : engine.run(running)) {
        const Generation generation = engine.take(ended);
        EXPECT_EQ(generation.ids, expected[static_cast<std::size_t>(ended - sequences[0])]) << ended;
        prefilled += generation.times.prefilled;
        std::erase(running, ended);
      }
    }
    EXPECT_EQ(prefilled, 90);
    EXPECT_EQ(engine.num_free_pages(), 1) << "each goes on in a page of its own";
    for (const int sequence : sequences) engine.close(sequence);
  });
}

TEST(pages, of_closed_sequences_stay_while_there_is_room) {
  LoadedModels models({}, 8 * kPageTokens, DType::float32, {}, 2, 1, kMaxStepRows, /*keeps_prefixes=*/true);
  models.drive([](Engine& engine) {
    const RequestOptions options{kSampled, {}};
    const auto answer = [&](Role role, const TokenIds& prompt, std::int64_t prefilled) {
      const int sequence = engine.open(400).value();
      const Generation generation = engine.generate(sequence, request_for(role, prompt, 20), options);
      EXPECT_EQ(generation.times.prefilled, prefilled);
      engine.close(sequence);
      EXPECT_EQ(engine.num_free_pages(), 8) << "what is kept is given to whoever needs it";
      return generation.ids;
    };
    const TokenIds question = prompt_of(200, 3);
    TokenIds text = question;
    const TokenIds first = answer(Role::target, question, 200);
    text.insert(text.end(), first.begin(), first.end());
    const TokenIds next = prompt_of(40, 7);
    text.insert(text.end(), next.begin(), next.end());
    const TokenIds second = answer(Role::target, text, 40 + 1);  // the last token of an answer is in no cache
    EXPECT_EQ(answer(Role::target, text, 0), second);
    answer(Role::draft, text, 260);  // which has seen nothing of it
    EXPECT_EQ(answer(Role::target, text, 0), second);
    // Somebody needs all of the cache: what was kept is gone.
    engine.close(engine.open(engine.capacity()).value());
    EXPECT_EQ(answer(Role::target, text, 260), second);
    EXPECT_EQ(answer(Role::target, question, 0), first);
  });
}

RunSetup setup_of(const TokenIds& prompt, int max_tokens) {
  RunSetup setup;
  setup.normal_mode = true;
  setup.prompt = prompt;
  setup.max_tokens = max_tokens;
  setup.max_model_len = 400;
  return setup;
}

/// All runs at once, and what each got.
std::vector<EngineRun> run_together(Engine& engine, const BatchOptions& batch, std::size_t count) {
  std::vector<EngineRun> runs(count);
  std::size_t given = 0;
  run_schedules(engine, batch, [&]() -> std::optional<ScheduledRun> {
    if (given == count) return std::nullopt;
    const std::size_t i = given++;
    return ScheduledRun{setup_of(prompt_of(30 + static_cast<int>(i), static_cast<int>(i)), 250),
                        {.sampling = kSampled, .draw = {4, 0, static_cast<std::uint32_t>(i)}},
                        [&runs, i](EngineRun run) { runs[i] = std::move(run); }};
  });
  return runs;
}

TEST(pages, a_full_cache_delays_the_youngest_runs_and_changes_nothing) {
  LoadedModels models({}, 5 * kPageTokens);  // less than two whole runs
  models.drive([](Engine& engine) {
    const std::vector<EngineRun> expected = run_together(engine, {.runs = 1}, 5);
    const std::vector<EngineRun> reserved = run_together(engine, {.runs = 5, .reserve = true}, 5);
    const std::vector<EngineRun> together = run_together(engine, {.runs = 5}, 5);
    std::int64_t again = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(together[i].result.ids, expected[i].result.ids) << i;
      EXPECT_EQ(reserved[i].result.ids, expected[i].result.ids) << i;
      EXPECT_EQ(reserved[i].target.prefilled, expected[i].target.prefilled);
      again += together[i].target.prefilled - expected[i].target.prefilled;
    }
    EXPECT_GT(again, 100) << "a run was prefilled again";
    EXPECT_EQ(engine.num_free_pages(), 5);
  });
}

TEST(pages, more_sequences_than_the_rows_of_a_decode_step) {
  LoadedModels models({}, 40 * 3 * kPageTokens, DType::float32, {.ngram = true}, 2, 1, 40);
  models.drive([](Engine& engine) {
    const std::vector<EngineRun> expected = run_together(engine, {.runs = 1}, 40);
    const std::vector<EngineRun> together = run_together(engine, {.runs = 40}, 40);
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(together[i].result.ids, expected[i].result.ids) << i;
  });
}

}  // namespace
}  // namespace specthink
