#include "specthink/engine/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "specthink/base/error.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink {
namespace {

std::vector<Candidate> candidates(std::initializer_list<float> logits) {
  std::vector<Candidate> result;
  for (const float logit : logits) result.push_back({static_cast<TokenId>(result.size()), logit});
  return result;
}

// Known answers of the reference implementation of Philox 4x32-10 (Random123, kat_vectors).
TEST(philox, known_answers) {
  const PhiloxBlock zeros = philox({{0, 0, 0, 0}}, 0);
  EXPECT_EQ(zeros.words[0], 0x6627e8d5u);
  EXPECT_EQ(zeros.words[1], 0xe169c58du);
  EXPECT_EQ(zeros.words[2], 0xbc57ac4cu);
  EXPECT_EQ(zeros.words[3], 0x9b00dbd8u);
  const PhiloxBlock ones = philox({{~0u, ~0u, ~0u, ~0u}}, ~0ull);
  EXPECT_EQ(ones.words[0], 0x408f276du);
  EXPECT_EQ(ones.words[1], 0x41c83b0eu);
  EXPECT_EQ(ones.words[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.words[3], 0x6d5451fdu);
}

TEST(uniform, every_part_of_the_key_counts) {
  const DrawKey key{1, 2, 3};
  std::set<double> values{uniform(key, 4, Purpose::segment),       uniform(key, 5, Purpose::segment),
                          uniform(key, 4, Purpose::probe),         uniform({1, 2, 4}, 4, Purpose::segment),
                          uniform({1, 3, 3}, 4, Purpose::segment), uniform({9, 2, 3}, 4, Purpose::segment)};
  EXPECT_EQ(values.size(), 6u);
  EXPECT_EQ(uniform(key, 4, Purpose::segment), uniform(key, 4, Purpose::segment));
}

TEST(sample, greedy_takes_the_first_of_equals) {
  auto choice = candidates({1, 5, 5, 2});
  EXPECT_EQ(sample(choice, {.temperature = 0}, 0.99), 1);
}

TEST(sample, top_k_one_is_greedy) {
  for (const double draw : {0.0, 0.5, 0.999999}) {
    auto choice = candidates({1, 2, 9, 3});
    EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 1, .top_k = 1}, draw), 2);
  }
}

// top_p is renormalised after top_k: of {0.5, 0.3, 0.2}, top_k 2 leaves {0.625, 0.375}, so that top_p 0.6 leaves one.
TEST(sample, top_p_counts_what_top_k_has_left) {
  const std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  for (const double draw : {0.0, 0.3, 0.7, 0.9999}) {
    auto choice = candidates({logits[0], logits[1], logits[2]});
    EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 0.6f, .top_k = 2}, draw), 0);
  }
  auto choice = candidates({logits[0], logits[1], logits[2]});
  EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 0.6f, .top_k = 0}, 0.9999), 1);
}

TEST(sample, a_tiny_top_p_keeps_one) {
  auto choice = candidates({0, 3, 1});
  EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 1e-9f, .top_k = 0}, 0.9999), 1);
}

// The frequencies of many draws against the softmax, over a vocabulary that is larger than the first sorted part.
TEST(sample, follows_the_distribution) {
  constexpr int kVocabulary = 300;
  constexpr int kDraws = 40000;
  constexpr float kTemperature = 0.7f;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 1.5f);
  std::vector<float> logits(kVocabulary);
  for (float& logit : logits) logit = normal(random);
  for (const SamplingParams& params : {SamplingParams{kTemperature, 1, 0}, SamplingParams{kTemperature, 0.9f, 0},
                                       SamplingParams{kTemperature, 0.95f, 20}}) {
    // The expectation, computed the plain way: sort everything, cut, normalise.
    std::vector<int> order(kVocabulary);
    for (int i = 0; i < kVocabulary; ++i) order[static_cast<std::size_t>(i)] = i;
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)]; });
    if (params.top_k > 0) order.resize(static_cast<std::size_t>(params.top_k));
    const auto weight = [&](int id) {
      return std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)]) / kTemperature);
    };
    double total = 0;
    for (const int id : order) total += weight(id);
    double sum = 0;
    std::size_t kept = 0;
    while (kept < order.size() && sum < params.top_p * total) sum += weight(order[kept++]);
    std::map<TokenId, double> expected;
    for (std::size_t i = 0; i < kept; ++i) expected[order[i]] = weight(order[i]) / sum;

    std::map<TokenId, int> counts;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<Candidate> all;
      for (int id = 0; id < kVocabulary; ++id) all.push_back({id, logits[static_cast<std::size_t>(id)]});
      ++counts[sample(all, params, uniform({7, 0, 0}, static_cast<std::uint32_t>(draw), Purpose::segment))];
    }
    for (const auto& [id, count] : counts) EXPECT_TRUE(expected.contains(id)) << "token " << id << " was cut off";
    for (const auto& [id, probability] : expected) {
      const double deviation = std::sqrt(probability * (1 - probability) / kDraws);
      EXPECT_NEAR(static_cast<double>(counts[id]) / kDraws, probability, 5 * deviation + 1e-9) << "token " << id;
    }
  }
}

TEST(sample, not_a_number_is_an_error) {
  auto choice = candidates({1, NAN, 2});
  EXPECT_THROW(sample(choice, {.temperature = 1}, 0.5), UserError);
}

}  // namespace
}  // namespace specthink
