// The reference path: a decoder-only transformer in LibTorch operators, on CPUs and GPUs, sharded over a group of
// ranks. On GPUs, in the 16-bit types, fused kernels join the library's products (model/fused_forward.h).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "specthink/base/types.h"
#include "specthink/comm/collectives.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/loaded_shard.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {

class FusedForward;
class KvCache;

/// Consecutive tokens of one sequence in a forward step.
struct SlotRows {
  int slot = 0;
  std::int64_t first_position = 0;
  std::span<const TokenId> tokens;
};

class Transformer {
 public:
  struct Options {
    DType dtype = DType::bfloat16;
    c10::Device device = c10::Device(c10::kCPU);
    std::int64_t pages = 0;          ///< of kPageTokens tokens: the KV cache of all sequences
    std::int64_t max_positions = 0;  ///< of one sequence; 0: as many as the pages hold
    std::int64_t prefill_rows = 0;   ///< of a fused forward(), for which memory is set aside; more rows take more then
    bool dummy_weights = false;
    std::uint64_t dummy_seed = 0;
    bool fused_prefill = true;    ///< fused kernels between the library's products, where the device and type have them
    PeerSum* peer_sum = nullptr;  ///< joins the sharded products of fused prefills; null: `collectives` do
    std::function<void(const LoadProgress&)> on_layer = {};  ///< before each layer is loaded
  };

  /// Loads this rank's shard. `collectives` and options.peer_sum must outlive the model. Throws UserError for what is
  /// wrong with the folder.
  Transformer(const std::filesystem::path& folder, ModelConfig config, Collectives& collectives,
              const Options& options);
  ~Transformer();

  /// Throws what the constructor would throw for weights that are missing or have a wrong shape; reads no weights.
  static void check_folder(const std::filesystem::path& folder, ModelConfig& config, const ShardPlan& plan);

  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  const ModelConfig& config() const { return config_; }
  const ShardPlan& plan() const { return plan_; }
  /// Weights, tables and cache as the decode kernels take them.
  const LoadedShard& shard() const { return shard_; }
  std::int64_t num_pages() const;  ///< of the KV cache
  std::int64_t weight_bytes() const;
  std::int64_t cache_bytes() const;
  /// False: forward() runs in LibTorch operators alone.
  bool uses_fused_prefill() const { return fused_ != nullptr; }

  /// The pages of the cache that a slot's sequence lies in, in order of position. Queued like forward().
  void set_pages(int slot, std::span<const std::int32_t> pages);

  /// Copies the first `positions` positions of a page of the cache to another one. Queued like forward().
  void copy_page(std::int32_t from, std::int32_t to, std::int64_t positions);

  /// Runs the rows through all layers and writes their keys and values to the cache, in the pages of their slots. All
  /// earlier positions of each slot must be there already. On a GPU the work is queued and, in the 16-bit types, never
  /// waited for. Returns [rows, hidden] after the final norm, the same on every rank. Collective.
  at::Tensor forward(std::span<const SlotRows> batch);

  /// The same of one slot's rows when only what comes after them matters: returns the hidden state of the last row,
  /// [1, hidden]. The fused kernels leave out what the last layer would compute for the other rows.
  at::Tensor prefill(const SlotRows& rows);

  /// Throws EnvironmentError when a forward() that has ended gave up waiting for another rank: its result is worthless.
  void check_arrived() const;

  /// [rows, hidden] -> float32 logits of this rank's part of the vocabulary, [rows, n]: ids from
  /// plan().first_vocab on; padding is cut off, so n differs between ranks and may be 0 on the last.
  at::Tensor local_logits(const at::Tensor& hidden) const;

 private:
  void check_rows(std::span<const SlotRows> batch) const;
  at::Tensor run_operators(std::span<const SlotRows> batch);
  at::Tensor embed(const at::Tensor& tokens) const;
  at::Tensor attend(std::int64_t layer, const at::Tensor& hidden, std::span<const SlotRows> batch,
                    const at::Tensor& cos, const at::Tensor& sin);
  at::Tensor attend_slot(std::int64_t layer, const at::Tensor& queries, const SlotRows& rows) const;
  at::Tensor feed_forward(std::int64_t layer, const at::Tensor& hidden) const;

  ModelConfig config_;
  ShardPlan plan_;
  Options options_;
  Collectives& collectives_;
  std::unique_ptr<KvCache> cache_;
  LoadedShard shard_;
  std::unique_ptr<FusedForward> fused_;  // null where LibTorch operators do the work
};

}  // namespace specthink::inline model
