#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "engine/loaded_models.h"
#include "specthink/engine/engine.h"

namespace specthink {
namespace {

using testing_support::kGreedy;
using testing_support::kSampled;
using testing_support::LoadedModels;
using testing_support::prompt_of;
using testing_support::request_for;
using testing_support::SingleSequence;
using testing_support::world;

TokenIds continue_with(SingleSequence& engine, Role role, const TokenIds& prefix, int max_tokens,
                       const SamplingParams& sampling = kGreedy) {
  return engine.generate(request_for(role, prefix, max_tokens), sampling, DrawKey{3, 0, 0}, false).ids;
}

TokenIds joined(TokenIds a, const TokenIds& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Two models that take turns, with text that is taken back: each time the result is that of a fresh sequence.
TEST(engine, turns_and_rollbacks_equal_a_fresh_prefill) {
  LoadedModels models;
  models.drive_one([](SingleSequence& engine) {
    TokenIds text = prompt_of(9);
    for (int turn = 0; turn < 6; ++turn) {
      const Role role = turn % 2 == 0 ? Role::draft : Role::target;
      const TokenIds incremental = continue_with(engine, role, text, 7);
      engine.reset();
      ASSERT_EQ(incremental, continue_with(engine, role, text, 7)) << "turn " << turn;
      text = joined(text, incremental);
      if (turn == 3) text.resize(text.size() - 10);  // a rejected answer and more
    }
  });
}

TEST(engine, sampled_text_can_be_replayed) {
  LoadedModels models;
  models.drive_one([](SingleSequence& engine) {
    const TokenIds prompt = prompt_of(5);
    const TokenIds whole = continue_with(engine, Role::target, prompt, 40, kSampled);
    engine.reset();
    const TokenIds first = continue_with(engine, Role::target, prompt, 15, kSampled);
    const TokenIds second = continue_with(engine, Role::target, joined(prompt, first), 25, kSampled);
    EXPECT_EQ(joined(first, second), whole) << "draws depend on the position, not on how requests are cut";
  });
}

// Sampled tokens depend on the last bit of a logit: the engine compares all ranks after every command here.
TEST(engine, ranks_agree_over_500_bfloat16_steps) {
  LoadedModels models({}, 1024, DType::bfloat16);
  models.drive_one([](SingleSequence& engine) {
    TokenIds text = prompt_of(20);
    for (int turn = 0; turn < 50; ++turn) {
      text = joined(text, continue_with(engine, turn % 3 == 0 ? Role::target : Role::draft, text, 10, kSampled));
    }
    EXPECT_EQ(text.size(), 520u);
  });
}

TEST(engine, a_long_prompt_is_prefilled_in_chunks) {
  LoadedModels models({}, 2048);
  models.drive_one([](SingleSequence& engine) {
    const TokenIds prompt = prompt_of(1500);
    const Generation generation = engine.generate(request_for(Role::target, prompt, 3), kGreedy, {}, false);
    EXPECT_EQ(generation.times.prefilled, 1500);
    EXPECT_EQ(generation.times.decode_steps, 2);
    engine.reset();
    TokenIds text = prompt;
    for (int i = 0; i < 3; ++i) text = joined(text, continue_with(engine, Role::target, text, 1));
    EXPECT_EQ(joined(prompt, generation.ids), text);
  });
}

TEST(engine, ends_at_eos_unless_ignored) {
  LoadedModels probe;
  TokenIds free_run;
  probe.drive_one(
      [&](SingleSequence& engine) { free_run = continue_with(engine, Role::draft, prompt_of(6), 30, kSampled); });
  // Every rank must build the next models with the same EOS.
  std::string text(reinterpret_cast<const char*>(free_run.data()), free_run.size() * sizeof(TokenId));
  world().broadcast(text);
  free_run.assign(reinterpret_cast<const TokenId*>(text.data()),
                  reinterpret_cast<const TokenId*>(text.data() + text.size()));
  const TokenId eos = free_run[12];
  const auto first = std::find(free_run.begin(), free_run.end(), eos) - free_run.begin();

  LoadedModels models({eos});
  models.drive_one([&](SingleSequence& engine) {
    const TokenIds prompt = prompt_of(6);
    const Generation stopped = engine.generate(request_for(Role::draft, prompt, 30), kSampled, DrawKey{3, 0, 0}, false);
    EXPECT_EQ(stopped.reason, EndReason::eos);
    EXPECT_EQ(stopped.ids, TokenIds(free_run.begin(), free_run.begin() + first + 1));
    engine.reset();
    const Generation ignored = engine.generate(request_for(Role::draft, prompt, 30), kSampled, DrawKey{3, 0, 0}, true);
    EXPECT_EQ(ignored.reason, EndReason::length);
    EXPECT_EQ(ignored.ids, free_run);
  });
}

TEST(engine, counts_what_was_caught_up) {
  LoadedModels models;
  models.drive_one([](SingleSequence& engine) {
    TokenIds text = prompt_of(10);
    Generation draft = engine.generate(request_for(Role::draft, text, 5), kGreedy, {}, false);
    EXPECT_EQ(draft.times.prefilled, 10);
    text = joined(text, draft.ids);
    EXPECT_EQ(engine.generate(request_for(Role::target, text, 4), kGreedy, {}, false).times.prefilled, 15);
    draft = engine.generate(request_for(Role::draft, text, 5), kGreedy, {}, false);
    EXPECT_EQ(draft.times.prefilled, 0) << "the draft wrote that text itself";
    EXPECT_EQ(draft.times.decode_steps, 5);
  });
}

TEST(engine, scores_its_own_greedy_text_highest) {
  LoadedModels models;
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(300);
    SingleSequence sequence(engine);
    const TokenIds text = joined(prompt, continue_with(sequence, Role::target, prompt, 10));
    sequence.close();
    const std::vector<float> scores = engine.score(Role::target, text);
    ASSERT_EQ(scores.size(), text.size() - 1);
    for (const float score : scores) EXPECT_LT(score, 0);
    for (TokenId other = 0; other < 199; other += 7) {
      TokenIds changed = text;
      changed.back() = other;
      EXPECT_LE(engine.score(Role::target, changed).back(), scores.back() + 1e-5);
    }
    // Probabilities of all continuations sum to one.
    double sum = 0;
    for (TokenId last = 0; last < 199; ++last) {
      TokenIds changed = prompt_of(4);
      changed.push_back(last);
      sum += std::exp(engine.score(Role::target, changed).back());
    }
    EXPECT_NEAR(sum, 1, 1e-4);
  });
}

TEST(engine, never_samples_beyond_the_smaller_vocabulary) {
  LoadedModels models;
  Engine engine(world(), models.collectives(), Engine::Model{&models.target(), {}}, {},
                {.vocab_size = 150, .check_interval = 1});
  if (world().rank() != 0) {
    engine.serve();
    return;
  }
  const TokenIds prompt = prompt_of(4);
  SingleSequence sequence(engine);
  for (const SamplingParams& sampling :
       {SamplingParams{.temperature = 5}, SamplingParams{.temperature = 5, .top_p = 1, .top_k = 190}}) {
    for (const TokenId id : sequence.generate(request_for(Role::target, prompt, 100), sampling, {}, false).ids)
      EXPECT_LT(id, 150);
    sequence.reset();
  }
  engine.shutdown(0);
}

// Rows of several sequences in one step give what each gives alone.
TEST(transformer, several_slots_in_one_step) {
  Transformer::Options options;
  options.dtype = DType::float32;
  options.device = testing_support::device();
  options.pages = 6;
  options.dummy_weights = true;
  const auto collectives = Collectives::create(world(), testing_support::device());
  Transformer together(std::filesystem::path(), testing_support::small_config(), *collectives, options);
  Transformer alone(std::filesystem::path(), testing_support::small_config(), *collectives, options);
  // In both, each slot has two pages; together they do not lie one behind the other.
  for (const int slot : {0, 1, 2}) {
    together.set_pages(slot, std::vector<std::int32_t>{5 - slot, slot});
    alone.set_pages(slot, std::vector<std::int32_t>{2 * slot, 2 * slot + 1});
  }
  const TokenIds a = prompt_of(130, 1);
  const TokenIds b = prompt_of(1, 2);
  const TokenIds c = prompt_of(8, 3);
  const SlotRows rows[] = {{0, 0, a}, {2, 0, b}, {1, 0, c}};
  const at::Tensor joint = together.forward(rows);
  std::vector<at::Tensor> parts;
  for (const SlotRows& row : rows) parts.push_back(alone.forward(std::span(&row, 1)));
  EXPECT_TRUE(at::allclose(joint, at::cat(parts), 1e-5, 1e-5));
  const TokenIds next{7};
  const SlotRows step[] = {{1, 8, next}, {0, 130, next}};
  const at::Tensor second = together.forward(step);
  EXPECT_TRUE(at::allclose(second.narrow(0, 0, 1), alone.forward(std::span(&step[0], 1)), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(second.narrow(0, 1, 1), alone.forward(std::span(&step[1], 1)), 1e-5, 1e-5));
}

}  // namespace
}  // namespace specthink
