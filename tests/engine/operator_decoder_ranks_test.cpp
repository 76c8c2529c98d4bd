// What a step of the reference decoder emits: minimum length, triggers, verification of proposals.
#include <gtest/gtest.h>

#include "engine/loaded_models.h"
#include "engine/operator_decoder.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::small_config;
using testing_support::world;

constexpr std::int64_t kDecoderVocab = 199;

/// A decoder over a small model with random weights, and a slot with two pages for each request.
class operator_decoder : public testing::Test {
 protected:
  void SetUp() override {
    collectives_ = Collectives::create(world(), device());
    Transformer::Options options;
    options.dtype = DType::float32;
    options.device = device();
    options.pages = 4;
    options.dummy_weights = true;
    model_ = std::make_unique<Transformer>("", small_config(), *collectives_, options);
    decoder_ = std::make_unique<OperatorDecoder>(PrefillContext{world(), *model_, 64}, *collectives_);
    model_->set_pages(0, std::vector<std::int32_t>{0, 1});
    model_->set_pages(1, std::vector<std::int32_t>{2, 3});
  }

  StepRequest request(int max_tokens) const {
    StepRequest request;
    request.max_tokens = max_tokens;
    request.sampling.params.temperature = 0.9f;
    request.sampling.draw.seed = 4;
    request.sampling.vocab_limit = kDecoderVocab;
    return request;
  }

  /// The request's tokens by steps of one row.
  TokenIds plain(int slot, const StepRequest& wanted, const TokenIds& prompt) {
    decoder_->start(slot, wanted);
    decoder_->step({{{slot, prompt, 0}}});
    TokenIds ids;
    while (true) {
      const StepToken token = decoder_->result(slot, static_cast<int>(ids.size()));
      EXPECT_FALSE(token.more);
      ids.push_back(token.id);
      end_ = token.end;
      if (token.end) return ids;
      decoder_->step({{{slot, {}, 0}}});
    }
  }

  /// The tokens that one step emits.
  TokenIds emitted(int slot, int from) {
    TokenIds ids;
    StepToken token;
    do {
      token = decoder_->result(slot, from + static_cast<int>(ids.size()));
      ids.push_back(token.id);
    } while (token.more);
    end_ = token.end;
    return ids;
  }

  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Transformer> model_;
  std::unique_ptr<OperatorDecoder> decoder_;
  std::optional<EndReason> end_;
};

const TokenIds kPrompt{5, 80, 3, 41};

TokenIds appended(TokenIds ids, const TokenIds& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

TEST_F(operator_decoder, proposals_that_are_right_are_kept_and_followed_by_one_more) {
  const TokenIds text = plain(0, request(12), kPrompt);
  decoder_->start(1, request(12));
  const TokenIds first_four(text.begin(), text.begin() + 4);
  decoder_->step({{{1, appended(kPrompt, first_four), 4}}});
  EXPECT_EQ(emitted(1, 0), TokenIds(text.begin(), text.begin() + 5));
  // The slot goes on behind them.
  decoder_->step({{{1, {}, 0}}});
  EXPECT_EQ(emitted(1, 5), TokenIds{text[5]});
}

TEST_F(operator_decoder, the_first_wrong_proposal_is_replaced_and_the_rest_dropped) {
  const TokenIds text = plain(0, request(12), kPrompt);
  decoder_->start(1, request(12));
  TokenIds proposed(text.begin(), text.begin() + 4);
  proposed[2] = (proposed[2] + 1) % kDecoderVocab;
  decoder_->step({{{1, appended(kPrompt, proposed), 4}}});
  EXPECT_EQ(emitted(1, 0), TokenIds(text.begin(), text.begin() + 3));
  TokenIds rest;
  for (int index = 3; index < 12; ++index) {
    decoder_->step({{{1, {}, 0}}});
    rest = appended(rest, emitted(1, index));
  }
  EXPECT_EQ(rest, TokenIds(text.begin() + 3, text.end())) << "what was refused has left nothing in the cache";
  EXPECT_EQ(end_, EndReason::length);
}

TEST_F(operator_decoder, an_end_inside_a_kept_run_ends_the_request_there) {
  const TokenIds text = plain(0, request(12), kPrompt);
  StepRequest wanted = request(12);
  const TokenIds eos{text[2]};
  wanted.eos_ids = eos;
  const TokenIds until_eos(text.begin(), std::ranges::find(text, eos[0]) + 1);
  decoder_->start(1, wanted);
  decoder_->step({{{1, appended(kPrompt, TokenIds(text.begin(), text.begin() + 6)), 6}}});
  EXPECT_EQ(emitted(1, 0), until_eos);
  EXPECT_EQ(end_, EndReason::eos);

  decoder_->start(1, request(3));
  decoder_->step({{{1, appended(kPrompt, TokenIds(text.begin(), text.begin() + 6)), 6}}});
  EXPECT_EQ(emitted(1, 0), TokenIds(text.begin(), text.begin() + 3));
  EXPECT_EQ(end_, EndReason::length);
}

/// A table whose one state matches at the given ids.
std::vector<std::uint16_t> matching(const TokenIds& ids) {
  std::vector<std::uint16_t> entries(kDecoderVocab, 0);
  for (const TokenId id : ids) entries[static_cast<std::size_t>(id)] = 0x8000;
  return entries;
}

TEST_F(operator_decoder, a_trigger_before_the_minimum_length_does_not_count) {
  const TokenIds text = plain(0, request(12), kPrompt);
  decoder_->set_stop_table(0, matching({text[1], text[4]}), kDecoderVocab);
  decoder_->set_stop_table(1, matching({text[7]}), kDecoderVocab);
  StepRequest wanted = request(12);
  wanted.stop_table = 0;
  const auto first_of = [&](std::initializer_list<TokenId> ids, std::size_t from) {
    std::size_t i = from;
    while (std::ranges::find(ids, text[i]) == ids.end()) ++i;
    return i + 1;
  };
  EXPECT_EQ(plain(1, wanted, kPrompt).size(), first_of({text[1], text[4]}, 0));
  EXPECT_EQ(end_, EndReason::trigger);
  wanted.min_tokens = 3;
  EXPECT_EQ(plain(1, wanted, kPrompt).size(), first_of({text[1], text[4]}, 2));
  wanted.stop_table = 1;
  EXPECT_EQ(plain(1, wanted, kPrompt).size(), first_of({text[7]}, 2)) << "each request has a table of its own";
  wanted.stop_table = -1;
  EXPECT_EQ(plain(1, wanted, kPrompt), text);
  EXPECT_EQ(end_, EndReason::length);
}

TEST_F(operator_decoder, sequences_of_a_step_have_their_own_sampling_and_limits) {
  StepRequest greedy = request(5);
  greedy.sampling.params.temperature = 0;
  greedy.sampling.vocab_limit = 50;
  const TokenIds other_prompt{17, 60};
  const TokenIds sampled = plain(0, request(5), kPrompt);
  const TokenIds limited = plain(0, greedy, other_prompt);
  for (const TokenId id : limited) EXPECT_LT(id, 50);
  decoder_->start(0, request(5));
  decoder_->start(1, greedy);
  decoder_->step({{{0, kPrompt, 0}, {1, other_prompt, 0}}});
  TokenIds first = emitted(0, 0);
  TokenIds second = emitted(1, 0);
  for (int index = 1; index < 5; ++index) {
    decoder_->step({{{1, {}, 0}, {0, {}, 0}}});
    first = appended(first, emitted(0, index));
    second = appended(second, emitted(1, index));
  }
  EXPECT_EQ(first, sampled);
  EXPECT_EQ(second, limited);
}

}  // namespace
}  // namespace specthink
