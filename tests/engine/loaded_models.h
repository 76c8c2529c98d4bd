// Models and engines for tests that run on several ranks.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
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
      : LoadedModels({"", small_config(3), 1}, {"", small_config(draft_seed == 1 ? 3 : 2), draft_seed}, std::move(eos),
                     capacity, dtype,
                     {.speculation = speculation,
                      .forced_acceptance = forced_acceptance,
                      .max_sequences = max_sequences,
                      .keeps_prefixes = keeps_prefixes}) {}

  /// The trained pair that ships with the project.
  static LoadedModels demo_pair(std::int64_t capacity, DType dtype, int max_sequences) {
    const char* checkout = std::getenv("SPECTHINK_SOURCE_DIR");
    const auto source = [&](const char* name) {
      const auto folder = std::filesystem::path(checkout ? checkout : ".") / "models/demo" / name;
      return Source{folder, ModelConfig::load(folder), std::nullopt};
    };
    return {source("target"), source("draft"), {}, capacity, dtype, {.max_sequences = max_sequences}};
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
  struct Source {
    std::filesystem::path folder;
    ModelConfig config;
    std::optional<std::uint64_t> dummy_seed;  // of random weights
  };

  LoadedModels(const Source& target, const Source& draft, TokenIds eos, std::int64_t capacity, DType dtype,
               Engine::Options options)
      : collectives_(Collectives::create(world(), device())) {
    const auto load = [&](const Source& source) {
      Transformer::Options model_options;
      model_options.dtype = dtype;
      model_options.device = device();
      model_options.pages = (capacity + kPageTokens - 1) / kPageTokens;
      model_options.dummy_weights = source.dummy_seed.has_value();
      model_options.dummy_seed = source.dummy_seed.value_or(0);
      return std::make_unique<Transformer>(source.folder, source.config, *collectives_, model_options);
    };
    target_ = load(target);
    draft_ = load(draft);
    options.vocab_size = target.config.vocab_size;
    options.check_interval = 1;
    engine_ = std::make_unique<Engine>(world(), *collectives_, Engine::Model{target_.get(), eos},
                                       Engine::Model{draft_.get(), eos}, options);
  }

  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Transformer> target_;
  std::unique_ptr<Transformer> draft_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace specthink::testing_support
