// Device memory of a decode step: what its kernels hand to each other and to the other ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>

#include "kernels/decode/sampling.h"
#include "kernels/decode/slot_state.h"
#include "kernels/exchange/exchange.h"
#include "specthink/comm/peer_memory.h"
#include "specthink/kernels/decode_step.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline kernels {

class DecodeBuffers {
 public:
  /// Collective. `rows`: of the largest step. Throws UserError when `all_reduce` is fused and some rank cannot map
  /// another's memory.
  DecodeBuffers(const LoadedShard& model, const ProcessGroup& group, AllReduce all_reduce, int rows);

  bool fused() const { return peers_ != nullptr; }
  std::int64_t positions() const { return positions_; }  ///< that a sequence may have
  std::int64_t bytes() const;

  SlotState* slots() const { return static_cast<SlotState*>(slots_.mutable_data_ptr()); }
  StepLayout* layout() const { return static_cast<StepLayout*>(layout_.mutable_data_ptr()); }
  float* qkv() const { return qkv_.mutable_data_ptr<float>(); }
  float* residual() const { return residual_.mutable_data_ptr<float>(); }
  float* logits() const { return logits_.mutable_data_ptr<float>(); }
  const at::Tensor& logits_tensor() const { return logits_; }
  void* attention_split() const { return attention_split_.mutable_data_ptr(); }  // AttentionSplit::results
  int* tiles_of_part() const { return tiles_of_part_.mutable_data_ptr<int>(); }  // AttentionSplit::tiles_of_part
  std::uint32_t* failed() const { return static_cast<std::uint32_t*>(failed_.mutable_data_ptr()); }

  // Activations of steps of `rows` rows, zero beyond their columns: a buffer for each of kStepRowCounts, whose layouts
  // differ, and one of batches of any number, [rows, columns].
  void* normed(int rows, bool batch) const { return activations(normed_, rows, batch); }        // hidden
  void* attended(int rows, bool batch) const { return activations(attended_, rows, batch); }    // heads·head_dim
  void* activated(int rows, bool batch) const { return activations(activated_, rows, batch); }  // intermediate
  at::Tensor normed_row() const;                                                                // [hidden], of one row
  float* inverses() const { return inverses_.mutable_data_ptr<float>(); }  // of normed rows that are scaled

  /// What a slot of the step receives and sends (kernels/exchange/exchange.h). Without mapped memory: partials() alone,
  /// which a collective sums in between.
  ReceivedPartials received(int slot, std::int64_t elements) const;
  SentPartials sent(int slot) const;
  at::Tensor partials(std::int64_t elements) const { return partials_.narrow(0, 0, elements); }

  /// The memory of the sampling of a step of `rows` rows.
  void fill_sampling(DecodeSampling& sampling, int rows) const;
  // Without mapped memory: what this rank sends, [rows · kRowKeys], and of all, [ranks · rows · kRowKeys].
  at::Tensor own_candidates(int rows) const { return own_candidates_.narrow(0, 0, rows * kRowKeys); }
  at::Tensor gathered_candidates(int rows) const { return gathered_candidates_.narrow(0, 0, ranks_ * rows * kRowKeys); }

 private:
  using PerRowCount = std::array<at::Tensor, kStepRowCounts.size() + 1>;
  PerRowCount activation_buffers(std::int64_t columns, at::TensorOptions options) const;
  static void* activations(const PerRowCount& tensors, int rows, bool batch);
  float* exchange_buffer(int owner, int slot, int sender) const;
  CandidateKey* candidate_buffer(int owner) const;

  int rank_;
  int ranks_;
  std::int64_t rows_;  // of the largest step: "rows" below
  std::int64_t hidden_;
  std::int64_t positions_;
  at::Tensor slots_, layout_;  // [kMaxSlots] SlotState, StepLayout
  at::Tensor qkv_, residual_, logits_, inverses_, attention_split_, tiles_of_part_, failed_;
  at::Tensor block_candidates_;  // [rows, blocks, kMaxCandidates] int64
  at::Tensor choices_;         // [2 + kStatisticsWords, rows] int64: DecodeSampling's chosen, arrived, their statistics
  at::Tensor block_measures_;  // [rows, blocks, 3] float32
  PerRowCount normed_, attended_, activated_;
  std::unique_ptr<PeerMemory> peers_;
  std::size_t peer_bytes_ = 0;
  at::Tensor partials_;             // [rows · hidden] float32; NCCL only
  at::Tensor own_candidates_;       // [rows · kRowKeys] int64; NCCL only
  at::Tensor gathered_candidates_;  // [ranks · rows · kRowKeys] int64; NCCL only
};

}  // namespace specthink::inline kernels
