#include <ATen/ATen.h>

#include "kernels/decode/attention.h"
#include "kernels/decode/buffers.h"
#include "kernels/decode/linear.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

constexpr int kLongestRows = kMaxStepRows;

std::size_t row_count_index(int rows) {
  std::size_t index = 0;
  while (1 << index < rows) ++index;
  return index;
}

std::array<at::Tensor, 5> activation_buffers(std::int64_t columns, at::TensorOptions options) {
  std::array<at::Tensor, 5> tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i] = at::zeros({padded_columns(columns) << i}, options);
  return tensors;
}

}  // namespace

DecodeBuffers::DecodeBuffers(const LoadedShard& model, const ProcessGroup& group, AllReduce all_reduce)
    : rank_(group.rank()), ranks_(group.size()), hidden_(model.part.hidden_size) {
  const ModelDescription& part = model.part;
  const at::TensorOptions device(model.device());
  const at::TensorOptions floats = device.dtype(at::kFloat);
  const at::TensorOptions elements = device.dtype(model.compute_type());
  positions_ = std::min(model.cache.size(2) * model.cache.size(3), model.rope.cos.size(0));
  state_ = at::zeros({static_cast<std::int64_t>(sizeof(RequestState))}, device.dtype(at::kByte));
  qkv_ = at::empty({kLongestRows, part.qkv_width()}, floats);
  residual_ = at::empty({kLongestRows, hidden_}, floats);
  logits_ = at::empty({kLongestRows, part.vocab_size}, floats);
  page_table_ = at::arange(model.cache.size(2), device.dtype(at::kInt));
  attention_split_ = at::full({attention_split_bytes(part.num_kv_heads, part.head_dim)}, 0xff, device.dtype(at::kByte));
  failed_ = at::zeros({1}, device.dtype(at::kInt));
  block_candidates_ =
      at::zeros({(part.vocab_size + kLogitsPerBlock - 1) / kLogitsPerBlock, kMaxCandidates}, device.dtype(at::kLong));
  normed_ = activation_buffers(hidden_, elements);
  attended_ = activation_buffers(part.query_width(), elements);
  activated_ = activation_buffers(part.intermediate_size, elements);

  if (all_reduce != AllReduce::nccl && ranks_ <= kMaxExchangeRanks) {
    peer_bytes_ = sizeof(float) * static_cast<std::size_t>(kExchangeBuffers * ranks_ * kLongestRows * hidden_) +
                  sizeof(CandidateKey) * static_cast<std::size_t>(ranks_ * kMaxCandidates);
    peers_ = PeerMemory::create(group, model.device(), peer_bytes_, 0xff);
  }
  if (!peers_ && all_reduce == AllReduce::fused) {
    throw UserError(
        "--all-reduce fused: the ranks cannot map each other's GPU memory (GPUs of one node with peer access are "
        "needed, at most {} of them, each visible to every rank): use --all-reduce auto",
        kMaxExchangeRanks);
  }
  if (!peers_) {
    partials_ = at::zeros({kLongestRows * hidden_}, floats);
    own_candidates_ = at::zeros({kMaxCandidates}, device.dtype(at::kLong));
    gathered_candidates_ = at::zeros({ranks_, kMaxCandidates}, device.dtype(at::kLong));
  }
}

std::int64_t DecodeBuffers::bytes() const {
  std::size_t total = peer_bytes_;
  for (const at::Tensor* tensor : {&state_, &qkv_, &residual_, &logits_, &page_table_, &attention_split_, &failed_,
                                   &block_candidates_, &partials_, &own_candidates_, &gathered_candidates_}) {
    if (tensor->defined()) total += tensor->nbytes();
  }
  for (const PerRowCount* tensors : {&normed_, &attended_, &activated_}) {
    for (const at::Tensor& tensor : *tensors) total += tensor.nbytes();
  }
  return static_cast<std::int64_t>(total);
}

void* DecodeBuffers::activations(const PerRowCount& tensors, int rows) {
  return tensors[row_count_index(rows)].mutable_data_ptr();
}

at::Tensor DecodeBuffers::normed_row() const { return normed_[0].narrow(0, 0, hidden_); }

float* DecodeBuffers::exchange_buffer(int owner, int slot, int sender) const {
  const std::int64_t part = kLongestRows * hidden_;
  return reinterpret_cast<float*>(peers_->of(owner)) + (buffer_of_slot(slot) * ranks_ + sender) * part;
}

CandidateKey* DecodeBuffers::candidate_buffer(int owner) const {
  return reinterpret_cast<CandidateKey*>(reinterpret_cast<float*>(peers_->of(owner)) +
                                         static_cast<std::int64_t>(kExchangeBuffers) * ranks_ * kLongestRows * hidden_);
}

ReceivedPartials DecodeBuffers::received(int slot, std::int64_t elements) const {
  ReceivedPartials received;
  if (!fused()) {
    received.data = partials_.const_data_ptr<float>();
    return received;
  }
  received.data = exchange_buffer(rank_, slot, 0);
  received.rank_stride = kLongestRows * hidden_;
  received.ranks = ranks_;
  if (slot > 0) received.reset = exchange_buffer(rank_, slot - 1, 0);
  check(elements <= received.rank_stride, "more rows than an exchange holds");
  return received;
}

SentPartials DecodeBuffers::sent(int slot) const {
  SentPartials sent;
  if (!fused()) {
    sent.to[0] = partials_.mutable_data_ptr<float>();
    return sent;
  }
  sent.ranks = ranks_;
  for (int rank = 0; rank < ranks_; ++rank) sent.to[rank] = exchange_buffer(rank, slot, rank_);
  return sent;
}

void DecodeBuffers::fill_candidate_exchange(DecodeSampling& sampling) const {
  sampling.ranks = ranks_;
  if (!fused()) {
    sampling.sent[0] = static_cast<CandidateKey*>(own_candidates_.mutable_data_ptr());
    sampling.received = static_cast<CandidateKey*>(gathered_candidates_.mutable_data_ptr());
    return;
  }
  sampling.received = candidate_buffer(rank_);
  for (int rank = 0; rank < ranks_; ++rank) sampling.sent[rank] = candidate_buffer(rank) + rank_ * kMaxCandidates;
}

}  // namespace specthink
