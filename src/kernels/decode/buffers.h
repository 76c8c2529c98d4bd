// Device memory of a decode step: what its kernels hand to each other and to the other ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>

#include "kernels/decode/request_state.h"
#include "kernels/decode/sampling.h"
#include "kernels/exchange/exchange.h"
#include "specthink/comm/peer_memory.h"
#include "specthink/kernels/decode_step.h"

namespace specthink {

class DecodeBuffers {
 public:
  /// Collective. Throws UserError when `all_reduce` is fused and some rank cannot map another's memory.
  DecodeBuffers(const LoadedShard& model, const ProcessGroup& group, AllReduce all_reduce);

  bool fused() const { return peers_ != nullptr; }
  std::int64_t positions() const { return positions_; }  ///< that the cache holds
  std::int64_t bytes() const;

  RequestState* state() const { return static_cast<RequestState*>(state_.mutable_data_ptr()); }
  float* qkv() const { return qkv_.mutable_data_ptr<float>(); }
  float* residual() const { return residual_.mutable_data_ptr<float>(); }
  float* logits() const { return logits_.mutable_data_ptr<float>(); }
  const at::Tensor& logits_tensor() const { return logits_; }
  const std::int32_t* page_table() const { return page_table_.const_data_ptr<std::int32_t>(); }
  void* attention_split() const { return attention_split_.mutable_data_ptr(); }  // AttentionSplit::results
  std::uint32_t* failed() const { return static_cast<std::uint32_t*>(failed_.mutable_data_ptr()); }
  CandidateKey* block_candidates() const { return static_cast<CandidateKey*>(block_candidates_.mutable_data_ptr()); }

  // Activations of steps of `rows` rows, zero beyond their columns: a buffer for each count, whose layouts differ.
  void* normed(int rows) const { return activations(normed_, rows); }        // hidden
  void* attended(int rows) const { return activations(attended_, rows); }    // heads·head_dim
  void* activated(int rows) const { return activations(activated_, rows); }  // intermediate
  at::Tensor normed_row() const;                                             // [hidden], of one row

  /// What a slot of the step receives and sends (kernels/exchange/exchange.h). Without mapped memory: partials() alone,
  /// which a collective sums in between.
  ReceivedPartials received(int slot, std::int64_t elements) const;
  SentPartials sent(int slot) const;
  at::Tensor partials(std::int64_t elements) const { return partials_.narrow(0, 0, elements); }

  /// Where the candidates of this rank go and those of all arrive.
  void fill_candidate_exchange(DecodeSampling& sampling) const;
  at::Tensor& own_candidates() { return own_candidates_; }
  at::Tensor& gathered_candidates() { return gathered_candidates_; }

 private:
  using PerRowCount = std::array<at::Tensor, 5>;
  static void* activations(const PerRowCount& tensors, int rows);
  float* exchange_buffer(int owner, int slot, int sender) const;
  CandidateKey* candidate_buffer(int owner) const;

  int rank_;
  int ranks_;
  std::int64_t hidden_;
  std::int64_t positions_;
  at::Tensor state_, qkv_, residual_, logits_, page_table_, attention_split_, failed_, block_candidates_;
  PerRowCount normed_, attended_, activated_;
  std::unique_ptr<PeerMemory> peers_;
  std::size_t peer_bytes_ = 0;
  at::Tensor partials_;             // [kMaxStepRows · hidden] float32; NCCL only
  at::Tensor own_candidates_;       // [kMaxCandidates] int64; NCCL only
  at::Tensor gathered_candidates_;  // [ranks, kMaxCandidates] int64; NCCL only
};

}  // namespace specthink
