#include "specthink/engine/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
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

double noise(const NoiseKey& key, TokenId id) {
  return gumbel_noise(key.draw.seed, key.position, key.draw.problem, key.draw.run,
                      static_cast<std::uint32_t>(key.purpose), static_cast<std::uint32_t>(id));
}

TEST(gumbel_noise, every_part_of_the_key_counts) {
  const NoiseKey key{{1, 2, 3}, Purpose::segment, 4};
  std::set<double> values{noise(key, 0),
                          noise(key, 1),
                          noise({key.draw, Purpose::segment, 5}, 0),
                          noise({key.draw, Purpose::probe, 4}, 0),
                          noise({{1, 2, 4}, Purpose::segment, 4}, 0),
                          noise({{1, 3, 3}, Purpose::segment, 4}, 0),
                          noise({{9, 2, 3}, Purpose::segment, 4}, 0)};
  EXPECT_EQ(values.size(), 7u);
  EXPECT_EQ(noise(key, 0), noise(key, 0));
}

// The counter's words are position, problem, run with the purpose above it, token; u is made of the first two words.
TEST(gumbel_noise, is_that_of_the_specified_counter) {
  const PhiloxBlock block = philox({{4, 2, 3u | 2u << 29, 77}}, 1);
  const double u = static_cast<double>((std::uint64_t{block.words[0]} << 32 | block.words[1]) >> 12) * 0x1p-52;
  EXPECT_NEAR(noise({{1, 2, 3}, Purpose::answer, 4}, 77), -std::log(-std::log(u)), 1e-9);
}

TEST(gumbel_noise, is_finite_everywhere_and_has_the_mean_and_variance_of_its_law) {
  constexpr int kCount = 200000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = noise({{5, 0, 0}, Purpose::segment, static_cast<std::uint32_t>(i)}, 9);
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kCount;
  const double variance = M_PI * M_PI / 6;
  EXPECT_NEAR(mean, 0.5772156649, 5 * std::sqrt(variance / kCount));
  EXPECT_NEAR(squares / kCount - mean * mean, variance, 0.05);
  // The extremes of u, which a rounded uniform number would turn into an infinity.
  EXPECT_TRUE(std::isfinite(-std::log(-std::log((0 + 0.5) * 0x1p-52))));
  EXPECT_TRUE(std::isfinite(-std::log(-std::log((static_cast<double>((std::uint64_t{1} << 52) - 1) + 0.5) * 0x1p-52))));
}

NoiseKey at_position(std::uint32_t position) { return {{7, 0, 0}, Purpose::segment, position}; }

TEST(sample, greedy_takes_the_first_of_equals) {
  for (std::uint32_t position = 0; position < 20; ++position) {
    auto choice = candidates({1, 5, 5, 2});
    EXPECT_EQ(sample(choice, {.temperature = 0}, at_position(position)), 1);
  }
}

TEST(sample, top_k_one_is_greedy) {
  for (std::uint32_t position = 0; position < 20; ++position) {
    auto choice = candidates({1, 2, 9, 3});
    EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 1, .top_k = 1}, at_position(position)), 2);
  }
}

// top_p is renormalised after top_k: of {0.5, 0.3, 0.2}, top_k 2 leaves {0.625, 0.375}, so that top_p 0.6 leaves one.
TEST(sample, top_p_counts_what_top_k_has_left) {
  const std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::set<TokenId> without_top_k;
  for (std::uint32_t position = 0; position < 100; ++position) {
    auto choice = candidates({logits[0], logits[1], logits[2]});
    EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 0.6f, .top_k = 2}, at_position(position)), 0);
    choice = candidates({logits[0], logits[1], logits[2]});
    without_top_k.insert(sample(choice, {.temperature = 1, .top_p = 0.6f, .top_k = 0}, at_position(position)));
  }
  EXPECT_EQ(without_top_k, (std::set<TokenId>{0, 1}));
}

TEST(sample, a_tiny_top_p_keeps_one) {
  for (std::uint32_t position = 0; position < 20; ++position) {
    auto choice = candidates({0, 3, 1});
    EXPECT_EQ(sample(choice, {.temperature = 1, .top_p = 1e-9f, .top_k = 0}, at_position(position)), 1);
  }
}

// Whatever holds the kept candidates gives the same token: order and further candidates do not count.
TEST(sample, does_not_depend_on_the_order_of_the_candidates) {
  std::mt19937 random(3);
  std::vector<Candidate> all;
  for (TokenId id = 0; id < 200; ++id) all.push_back({id, static_cast<float>(random() % 40) / 8});
  for (std::uint32_t position = 0; position < 200; ++position) {
    std::vector<Candidate> sorted = all;
    std::vector<Candidate> shuffled = all;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const SamplingParams params{0.8f, 0.9f, 30};
    EXPECT_EQ(sample(sorted, params, at_position(position)), sample(shuffled, params, at_position(position)));
  }
}

/// The probabilities of sampling, computed the plain way: sort everything, cut, normalise.
std::map<TokenId, double> distribution(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](TokenId id) { return static_cast<double>(logits[static_cast<std::size_t>(id)]); };
  std::ranges::stable_sort(order, [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  if (params.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(params.top_k)));
  const auto weight = [&](TokenId id) { return std::exp((logit(id) - logit(order[0])) / params.temperature); };
  double total = 0;
  for (const TokenId id : order) total += weight(id);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < order.size() && sum < params.top_p * total) sum += weight(order[kept++]);
  std::map<TokenId, double> result;
  for (std::size_t i = 0; i < kept; ++i) result[order[i]] = weight(order[i]) / sum;
  return result;
}

/// Pearson's statistic of counts against probabilities, in standard deviations of its law beyond its mean; cells that
/// expect fewer than ten are counted together.
double excess_chi_square(const std::map<TokenId, double>& expected, const std::map<TokenId, int>& counts, int draws) {
  double statistic = 0;
  int cells = 0;
  double rare_expected = 0;
  double rare_found = 0;
  const auto add = [&](double found, double wanted) {
    statistic += (found - wanted) * (found - wanted) / wanted;
    ++cells;
  };
  for (const auto& [id, probability] : expected) {
    const auto found = counts.find(id);
    const double count = found == counts.end() ? 0 : found->second;
    if (probability * draws >= 10) {
      add(count, probability * draws);
    } else {
      rare_expected += probability * draws;
      rare_found += count;
    }
  }
  if (rare_expected >= 10) add(rare_found, rare_expected);
  return (statistic - (cells - 1)) / std::sqrt(2.0 * std::max(cells - 1, 1));
}

TEST(sample, follows_the_distribution) {
  constexpr int kDraws = 200000;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 1.5f);
  std::vector<float> logits(80);  // more than the part that is sorted first
  for (float& logit : logits) logit = normal(random);
  std::vector<float> ties(40);
  for (float& logit : ties) logit = static_cast<float>(random() % 3);
  const std::vector<float> one{2.5f};
  struct Case {
    const std::vector<float>& logits;
    SamplingParams params;
  };
  for (const Case& each : {Case{logits, {0.2f, 1, 0}}, Case{logits, {0.7f, 0.9f, 0}}, Case{logits, {0.6f, 0.95f, 20}},
                           Case{logits, {1.5f, 0.98f, 64}}, Case{ties, {1, 0.8f, 15}}, Case{ties, {0.5f, 1, 0}},
                           Case{one, {1, 0.5f, 5}}}) {
    const std::map<TokenId, double> expected = distribution(each.logits, each.params);
    std::map<TokenId, int> counts;
    std::vector<Candidate> all;
    for (int draw = 0; draw < kDraws; ++draw) {
      all.clear();
      for (const float logit : each.logits) all.push_back({static_cast<TokenId>(all.size()), logit});
      ++counts[sample(all, each.params, at_position(static_cast<std::uint32_t>(draw)))];
    }
    for (const auto& [id, count] : counts) EXPECT_TRUE(expected.contains(id)) << "token " << id << " was cut off";
    EXPECT_LT(excess_chi_square(expected, counts, kDraws), 4) << "temperature " << each.params.temperature;
  }
}

// The pairs of tokens at neighbouring positions, and of the same position for two purposes, runs and seeds.
TEST(sample, neighbouring_draws_are_independent) {
  constexpr int kDraws = 200000;
  const std::vector<float> logits{0, 0.5f, 1, 1.5f};
  const SamplingParams params{1, 1, 0};
  const std::map<TokenId, double> single = distribution(logits, params);
  std::map<TokenId, double> pairs;  // id of the first · 4 + id of the second
  for (const auto& [first, p] : single) {
    for (const auto& [second, q] : single) pairs[first * 4 + second] = p * q;
  }
  const auto draw = [&](const NoiseKey& key) {
    auto all = candidates({logits[0], logits[1], logits[2], logits[3]});
    return sample(all, params, key);
  };
  struct Neighbours {
    const char* what;
    NoiseKey (*first)(std::uint32_t);
    NoiseKey (*second)(std::uint32_t);
  };
  const auto base = [](std::uint32_t i) { return NoiseKey{{1, 2, 3}, Purpose::takeover, 2 * i}; };
  for (const Neighbours& each : {Neighbours{"positions", base,
                                            [](std::uint32_t i) {
                                              return NoiseKey{{1, 2, 3}, Purpose::takeover, 2 * i + 1};
                                            }},
                                 Neighbours{"purposes", base,
                                            [](std::uint32_t i) {
                                              return NoiseKey{{1, 2, 3}, Purpose::probe, 2 * i};
                                            }},
                                 Neighbours{"runs", base,
                                            [](std::uint32_t i) {
                                              return NoiseKey{{1, 2, 4}, Purpose::takeover, 2 * i};
                                            }},
                                 Neighbours{"seeds", base, [](std::uint32_t i) {
                                              return NoiseKey{{2, 2, 3}, Purpose::takeover, 2 * i};
                                            }}}) {
    std::map<TokenId, int> counts;
    for (std::uint32_t i = 0; i < kDraws; ++i) ++counts[draw(each.first(i)) * 4 + draw(each.second(i))];
    EXPECT_LT(excess_chi_square(pairs, counts, kDraws), 4) << each.what;
  }
}

// What token-level speculation rests on: two models of near distributions mostly take the same token.
TEST(sample, couples_near_distributions) {
  constexpr int kDraws = 20000;
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> logits(100);
  for (float& logit : logits) logit = normal(random);
  std::vector<float> near = logits;
  for (float& logit : near) logit += 0.2f * normal(random);
  const SamplingParams params{0.6f, 0.95f, 20};
  const auto draw = [&](const std::vector<float>& from, std::uint32_t position) {
    std::vector<Candidate> all;
    for (const float logit : from) all.push_back({static_cast<TokenId>(all.size()), logit});
    return sample(all, params, at_position(position));
  };
  int equal = 0;
  for (std::uint32_t i = 0; i < kDraws; ++i) equal += draw(logits, i) == draw(near, i);
  // Independent draws agree as often as two draws of the mixture would; the coupling must reach near the overlap.
  const std::map<TokenId, double> p = distribution(logits, params);
  const std::map<TokenId, double> q = distribution(near, params);
  double overlap = 0;
  double independent = 0;
  for (const auto& [id, probability] : p) {
    if (!q.contains(id)) continue;
    overlap += std::min(probability, q.at(id));
    independent += probability * q.at(id);
  }
  EXPECT_GT(static_cast<double>(equal) / kDraws, independent + 0.5 * (overlap - independent));
  EXPECT_LE(static_cast<double>(equal) / kDraws, overlap + 0.02);
}

TEST(sample, not_a_number_is_an_error) {
  auto choice = candidates({1, NAN, 2});
  EXPECT_THROW(sample(choice, {.temperature = 1}, at_position(0)), UserError);
}

}  // namespace
}  // namespace specthink
