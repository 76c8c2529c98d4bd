#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/decode/attention/attention.h"
#include "kernels/decode/buffers.h"
#include "kernels/decode/linear/linear.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {
namespace {

std::size_t row_count_index(int rows) {
  const auto* const count = std::find(kStepRowCounts.begin(), kStepRowCounts.end(), rows);
  check(count != kStepRowCounts.end(), "no step is built for these rows");
  return static_cast<std::size_t>(count - kStepRowCounts.begin());
}

std::int64_t bytes_of(std::size_t size) { return static_cast<std::int64_t>(size); }

}  // namespace

DecodeBuffers::DecodeBuffers(const LoadedShard& model, const ProcessGroup& group, AllReduce all_reduce, int rows)
    : rank_(group.rank()), ranks_(group.size()), rows_(rows), hidden_(model.part.hidden_size) {
  const ModelDescription& part = model.part;
  const at::TensorOptions device(model.device());
  const at::TensorOptions floats = device.dtype(at::kFloat);
  const at::TensorOptions elements = device.dtype(model.compute_type());
  positions_ = std::min(model.cache.size(2) * model.cache.size(3), model.rope.cos.size(0));
  slots_ = at::zeros({kMaxSlots * bytes_of(sizeof(SlotState))}, device.dtype(at::kByte));
  layout_ = at::zeros({bytes_of(sizeof(StepLayout))}, device.dtype(at::kByte));
  qkv_ = at::empty({rows_, part.qkv_width()}, floats);
  residual_ = at::empty({rows_, hidden_}, floats);
  logits_ = at::empty({rows_, part.vocab_size}, floats);
  inverses_ = at::empty({kMaxStepRows}, floats);
  tiles_of_part_ = at::zeros({1}, device.dtype(at::kInt));
  attention_split_ = at::full({attention_split_bytes(part.num_kv_heads, part.head_dim)}, 0xff, device.dtype(at::kByte));
  failed_ = at::zeros({1}, device.dtype(at::kInt));
  block_candidates_ = at::zeros({rows_, sampling_blocks(part.vocab_size), kMaxCandidates}, device.dtype(at::kLong));
  choices_ = at::zeros({2 + kStatisticsWords, rows_}, device.dtype(at::kLong));
  block_measures_ = at::zeros({rows_, sampling_blocks(part.vocab_size), 3}, floats);
  normed_ = activation_buffers(hidden_, elements);
  attended_ = activation_buffers(part.query_width(), elements);
  activated_ = activation_buffers(part.intermediate_size, elements);

  if (all_reduce != AllReduce::nccl && ranks_ <= kMaxExchangeRanks) {
    peer_bytes_ = sizeof(float) * static_cast<std::size_t>(kExchangeBuffers * ranks_ * rows_ * hidden_) +
                  sizeof(CandidateKey) * static_cast<std::size_t>(ranks_ * rows_ * kRowKeys);
    peers_ = PeerMemory::create(group, model.device(), peer_bytes_, 0xff);
  }
  if (!peers_ && all_reduce == AllReduce::fused) {
    throw UserError(
        "--all-reduce fused: the ranks cannot map each other's GPU memory (GPUs of one node with peer access are "
        "needed, at most {} of them, each visible to every rank): use --all-reduce auto",
        kMaxExchangeRanks);
  }
  if (!peers_) {
    partials_ = at::zeros({rows_ * hidden_}, floats);
    own_candidates_ = at::zeros({rows_ * kRowKeys}, device.dtype(at::kLong));
    gathered_candidates_ = at::zeros({ranks_ * rows_ * kRowKeys}, device.dtype(at::kLong));
  }
}

std::int64_t DecodeBuffers::bytes() const {
  std::size_t total = peer_bytes_;
  for (const at::Tensor* tensor :
       {&slots_, &layout_, &qkv_, &residual_, &logits_, &inverses_, &attention_split_, &failed_, &block_candidates_,
        &choices_, &block_measures_, &partials_, &own_candidates_, &gathered_candidates_}) {
    if (tensor->defined()) total += tensor->nbytes();
  }
  for (const PerRowCount* tensors : {&normed_, &attended_, &activated_}) {
    for (const at::Tensor& tensor : *tensors) {
      if (tensor.defined()) total += tensor.nbytes();
    }
  }
  return static_cast<std::int64_t>(total);
}

DecodeBuffers::PerRowCount DecodeBuffers::activation_buffers(std::int64_t columns, at::TensorOptions options) const {
  PerRowCount tensors;
  for (std::size_t i = 0; i < kStepRowCounts.size(); ++i) {
    tensors[i] = at::zeros({padded_columns(columns) * kStepRowCounts[i]}, options);
  }
  tensors.back() = at::zeros({rows_, columns}, options);
  return tensors;
}

void* DecodeBuffers::activations(const PerRowCount& tensors, int rows, bool batch) {
  return (batch ? tensors.back() : tensors[row_count_index(rows)]).mutable_data_ptr();
}

at::Tensor DecodeBuffers::normed_row() const { return normed_[0].narrow(0, 0, hidden_); }

float* DecodeBuffers::exchange_buffer(int owner, int slot, int sender) const {
  const std::int64_t part = rows_ * hidden_;
  return reinterpret_cast<float*>(peers_->of(owner)) + (buffer_of_slot(slot) * ranks_ + sender) * part;
}

CandidateKey* DecodeBuffers::candidate_buffer(int owner) const {
  return reinterpret_cast<CandidateKey*>(reinterpret_cast<float*>(peers_->of(owner)) +
                                         static_cast<std::int64_t>(kExchangeBuffers) * ranks_ * rows_ * hidden_);
}

ReceivedPartials DecodeBuffers::received(int slot, std::int64_t elements) const {
  ReceivedPartials received;
  if (!fused()) {
    received.data = partials_.const_data_ptr<float>();
    return received;
  }
  received.data = exchange_buffer(rank_, slot, 0);
  received.rank_stride = rows_ * hidden_;
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

void DecodeBuffers::fill_sampling(DecodeSampling& sampling, int rows) const {
  const std::int64_t of_rank = rows_ * kRowKeys;
  sampling.slots = slots();
  sampling.layout = layout();
  sampling.logits = logits();
  sampling.logits_stride = logits_.size(1);
  sampling.columns = logits_.size(1);
  sampling.blocks = static_cast<CandidateKey*>(block_candidates_.mutable_data_ptr());
  sampling.chosen = static_cast<std::uint64_t*>(choices_.mutable_data_ptr());
  sampling.arrived = reinterpret_cast<std::uint32_t*>(sampling.chosen + rows_);
  sampling.chosen_statistics = sampling.chosen + 2 * rows_;
  sampling.block_measures = reinterpret_cast<RowMeasure*>(block_measures_.mutable_data_ptr<float>());
  sampling.ranks = ranks_;
  if (!fused()) {
    sampling.sent[0] = static_cast<CandidateKey*>(own_candidates_.mutable_data_ptr());
    sampling.received = static_cast<CandidateKey*>(gathered_candidates_.mutable_data_ptr());
    sampling.received_rank_stride = std::int64_t{rows} * kRowKeys;
    return;
  }
  sampling.received = candidate_buffer(rank_);
  sampling.received_rank_stride = of_rank;
  for (int rank = 0; rank < ranks_; ++rank) sampling.sent[rank] = candidate_buffer(rank) + rank_ * of_rank;
}

}  // namespace specthink::inline kernels
