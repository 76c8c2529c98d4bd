// What requests ask for besides tokens: statistics, limits of the entropy, stop tokens, readings; on 1 to 4 ranks.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/loaded_models.h"
#include "engine/sharded_vocabulary.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr TokenId kSmallVocab = 199;

/// Log-probabilities of all ids behind `text`, from scores of each continuation.
std::vector<double> distribution_behind(Engine& engine, const TokenIds& text) {
  std::vector<double> logprobs;
  for (TokenId id = 0; id < kSmallVocab; ++id) {
    TokenIds longer = text;
    longer.push_back(id);
    logprobs.push_back(engine.score(Role::target, longer).back());
  }
  return logprobs;
}

double entropy_of(const std::vector<double>& logprobs) {
  return -std::accumulate(logprobs.begin(), logprobs.end(), 0.0,
                          [](double sum, double logprob) { return sum + std::exp(logprob) * logprob; });
}

Request measured_request(std::span<const TokenId> prefix, int max_tokens) {
  Request request = request_for(Role::target, prefix, max_tokens);
  request.statistics = true;
  return request;
}

TEST(measured, statistics_are_those_of_the_whole_distribution) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(20);
    const int slot = engine.open(64).value();
    const Generation plain = engine.generate(slot, request_for(Role::target, prompt, 4), {kSampled, {3, 0, 0}});
    engine.reset(slot);
    const Generation measured = engine.generate(slot, measured_request(prompt, 4), {kSampled, {3, 0, 0}});
    engine.close(slot);
    EXPECT_EQ(measured.ids, plain.ids) << "to be measured changes nothing";
    EXPECT_TRUE(plain.measured.tokens.empty());
    ASSERT_EQ(measured.measured.tokens.size(), 4u);
    TokenIds text = prompt;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::vector<double> logprobs = distribution_behind(engine, text);
      const TokenStatistics& statistics = measured.measured.tokens[i];
      const TokenId id = measured.ids[i];
      EXPECT_NEAR(statistics.logprob, logprobs[static_cast<std::size_t>(id)], 1e-4);
      EXPECT_NEAR(statistics.entropy, entropy_of(logprobs), 1e-4);
      EXPECT_GT(statistics.processed_entropy, 0);
      EXPECT_LT(statistics.processed_entropy, std::log(20) + 1e-4);
      text.push_back(id);
    }
  });
}

TEST(measured, an_entropy_above_the_limit_ends_the_request_with_that_token) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(20);
    const int slot = engine.open(64).value();
    const Generation free_run = engine.generate(slot, measured_request(prompt, 12), {kSampled, {3, 0, 0}});
    // The first token that is less sure than all before it, from the second on.
    std::size_t last = 1;
    const auto entropy = [&](std::size_t i) { return free_run.measured.tokens[i].entropy; };
    float most = entropy(0);
    while (last < 11 && entropy(last) <= most) most = std::max(most, entropy(last++));
    engine.reset(slot);
    Request limited = request_for(Role::target, prompt, 12);
    limited.max_entropy = (most + entropy(last)) / 2;
    std::vector<TokenId> seen;
    const Generation cut =
        engine.generate(slot, limited, {kSampled, {3, 0, 0}}, [&](TokenId id, float) { seen.push_back(id); });
    EXPECT_EQ(cut.reason, EndReason::uncertain);
    EXPECT_EQ(cut.ids, TokenIds(free_run.ids.begin(), free_run.ids.begin() + static_cast<std::ptrdiff_t>(last) + 1));
    EXPECT_EQ(seen, TokenIds(cut.ids.begin(), cut.ids.end() - 1)) << "a refused token is shown to nobody";
    ASSERT_EQ(cut.measured.tokens.size(), cut.ids.size());
    // Another token in its place, and on from there: the gap of the target is one step.
    TokenIds text = prompt;
    text.insert(text.end(), cut.ids.begin(), cut.ids.end() - 1);
    const Generation draft = engine.generate(slot, request_for(Role::draft, text, 5), {kSampled, {3, 0, 0}});
    text.insert(text.end(), draft.ids.begin(), draft.ids.end());
    const Generation one = engine.generate(slot, request_for(Role::target, text, 1), {kSampled, {3, 0, 0}});
    EXPECT_GE(one.times.prefilled, 5);  // on GPUs the step that was under way has one position more in the cache
    EXPECT_LE(one.times.prefilled, 6);
    EXPECT_EQ(one.times.decode_steps, 0);
    engine.close(slot);
  });
}

TEST(measured, a_stop_token_ends_a_request_whatever_else_it_asks_for) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(20);
    const int slot = engine.open(64).value();
    const TokenIds free_run = engine.generate(slot, request_for(Role::target, prompt, 12), {kSampled, {3, 0, 0}}).ids;
    engine.reset(slot);
    Request request = request_for(Role::target, prompt, 12);
    request.stop_token = free_run[4];
    request.min_tokens = 9;
    const Generation stopped = engine.generate(slot, request, {kSampled, {3, 0, 0}, /*ignore_eos=*/true});
    EXPECT_EQ(stopped.reason, EndReason::stop_token);
    const auto length = std::ranges::find(free_run, free_run[4]) - free_run.begin() + 1;
    EXPECT_EQ(stopped.ids, TokenIds(free_run.begin(), free_run.begin() + length));
    engine.close(slot);
  });
}

TEST(measured, a_reading_is_one_prefill_that_leaves_the_text_alone) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const TokenIds prompt = prompt_of(20);
    const TokenIds step = prompt_of(7, 3);
    const TokenIds question = prompt_of(30, 5);
    const TokenIds digits{5, 9, 150};
    TokenIds text = prompt;
    text.insert(text.end(), step.begin(), step.end());
    const int slot = engine.open(256).value();
    engine.generate(slot, request_for(Role::target, prompt, 1), {kGreedy});
    Request request{.role = Role::target, .purpose = Purpose::answer, .prefix = text};
    request.suffix = question;
    request.read_ids = digits;
    const Generation read = engine.generate(slot, request, {kSampled, {3, 0, 0}});
    EXPECT_TRUE(read.ids.empty());
    EXPECT_EQ(read.times.prefilled, 7 + 30) << "the prompt was there, the step and the question were not";
    ASSERT_EQ(read.measured.reading.size(), 3u);
    // Nothing of the step is run twice, and what follows it is as if nobody had asked.
    const Generation next = engine.generate(slot, request_for(Role::target, text, 6), {kGreedy});
    EXPECT_EQ(next.times.prefilled, 0);
    engine.reset(slot);
    EXPECT_EQ(engine.generate(slot, request_for(Role::target, text, 6), {kGreedy}).ids, next.ids);
    engine.close(slot);
    TokenIds asked = text;
    asked.insert(asked.end(), question.begin(), question.end());
    for (std::size_t i = 0; i < digits.size(); ++i) {
      TokenIds answered = asked;
      answered.push_back(digits[i]);
      EXPECT_NEAR(read.measured.reading[i], engine.score(Role::target, answered).back(), 1e-4);
    }
  });
}

TEST(measured, margins_come_with_scores) {
  LoadedModels models({}, 512);
  models.drive([](Engine& engine) {
    const TokenIds text = prompt_of(12);
    std::vector<float> margins;
    const std::vector<float> scores = engine.score(Role::target, text, &margins);
    EXPECT_EQ(scores, engine.score(Role::target, text));
    ASSERT_EQ(margins.size(), scores.size());
    std::vector<double> logprobs = distribution_behind(engine, TokenIds(text.begin(), text.begin() + 5));
    std::ranges::sort(logprobs, std::greater());
    EXPECT_NEAR(margins[4], std::exp(logprobs[0]) - std::exp(logprobs[1]), 1e-4);
  });
}

}  // namespace
}  // namespace specthink
