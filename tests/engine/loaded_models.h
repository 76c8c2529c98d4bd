// Models and engines for tests that run on several ranks.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "ranks.h"
#include "specthink/comm/collectives.h"
#include "specthink/engine/engine.h"
#include "specthink/model/transformer.h"

namespace specthink::testing_support {

/// A small dense Qwen3; its weights are random, its vocabulary divides by nothing.
inline ModelConfig small_config(std::int64_t layers = 2) {
  ModelConfig config;
  config.model_type = "qwen3";
  config.hidden_size = 48;
  config.intermediate_size = 61;
  config.num_layers = layers;
  config.num_heads = 12;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.vocab_size = 199;
  config.max_position_embeddings = 512;
  config.qk_norm = true;
  return config;
}

inline constexpr SamplingParams kGreedy{};
inline constexpr SamplingParams kSampled{.temperature = 1, .top_p = 0.95f, .top_k = 20};

/// Ids of the small vocabulary.
inline TokenIds prompt_of(int length, int seed = 1) {
  TokenIds ids;
  for (int i = 0; i < length; ++i) ids.push_back((i * 37 + seed * 11) % 199);
  return ids;
}

inline Request request_for(Role role, std::span<const TokenId> prefix, int max_tokens) {
  return {.role = role,
          .purpose = role == Role::target ? Purpose::takeover : Purpose::segment,
          .prefix = prefix,
          .max_tokens = max_tokens};
}

/// One sequence of an engine, for tests that need no more.
class SingleSequence {
 public:
  explicit SingleSequence(Engine& engine) : engine_(engine), slot_(engine.open(engine.capacity()).value()) {}

  Generation generate(const Request& request, const SamplingParams& sampling, const DrawKey& key, bool ignore_eos) {
    return engine_.generate(slot_, request, {sampling, key, ignore_eos});
  }
  void reset() { engine_.reset(slot_); }
  void close() { engine_.close(slot_); }

 private:
  Engine& engine_;
  int slot_;
};

/// A target and a draft with random weights, and an engine over them, on all ranks of the test.
class LoadedModels {
 public:
  explicit LoadedModels(TokenIds eos = {}, std::int64_t capacity = 512, DType dtype = DType::float32)
      : LoadedModels(std::move(eos), capacity, dtype, {}) {}

  /// `draft_seed`: of the draft's weights; 1 makes it equal to the target.
  LoadedModels(TokenIds eos, std::int64_t capacity, DType dtype, const SpeculationOptions& speculation,
               std::uint64_t draft_seed = 2, double forced_acceptance = 1, int max_sequences = kMaxStepRows,
               bool keeps_prefixes = false)
      : collectives_(Collectives::create(world(), device())) {
    Transformer::Options options;
    options.dtype = dtype;
    options.device = device();
    options.pages = (capacity + kPageTokens - 1) / kPageTokens;
    options.dummy_weights = true;
    options.dummy_seed = 1;
    target_ = std::make_unique<Transformer>("", small_config(3), *collectives_, options);
    options.dummy_seed = draft_seed;
    draft_ = std::make_unique<Transformer>("", small_config(draft_seed == 1 ? 3 : 2), *collectives_, options);
    Engine::Options engine_options{.vocab_size = 199, .check_interval = 1};
    engine_options.speculation = speculation;
    engine_options.forced_acceptance = forced_acceptance;
    engine_options.max_sequences = max_sequences;
    engine_options.keeps_prefixes = keeps_prefixes;
    engine_ = std::make_unique<Engine>(world(), *collectives_, Engine::Model{target_.get(), eos},
                                       Engine::Model{draft_.get(), eos}, engine_options);
  }

  /// Rank 0 runs `root`, the others serve it.
  template <typename Root>
  void drive(Root&& root) {
    if (world().rank() != 0) {
      engine_->serve();
      return;
    }
    root(*engine_);
    engine_->shutdown(0);
  }

  /// The same with one sequence that has the whole cache.
  template <typename Root>
  void drive_one(Root&& root) {
    drive([&](Engine& engine) {
      SingleSequence sequence(engine);
      root(sequence);
    });
  }

  Transformer& target() { return *target_; }
  Collectives& collectives() { return *collectives_; }

 private:
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Transformer> target_;
  std::unique_ptr<Transformer> draft_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace specthink::testing_support
