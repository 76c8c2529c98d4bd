#include "engine/graph_decoder.h"

#include <algorithm>

#include "specthink/base/error.h"

namespace specthink::inline engine {

std::string GraphDecoder::description() const {
  const char* joined = context_.group.size() == 1 ? "" : step_->fused() ? ", fused all-reduce" : ", NCCL all-reduce";
  return std::string("decode kernels") + joined;
}

bool GraphDecoder::takes(const StepRequest& request) const {
  const SamplingParams& sampling = request.sampling.params;
  return (sampling.temperature == 0 || (sampling.top_k >= 1 && sampling.top_k <= kMaxCandidates)) &&
         request.eos_ids.size() <= static_cast<std::size_t>(kMaxEosIds) && request.read_ids.empty();
}

void GraphDecoder::start(int slot, const StepRequest& request) {
  Request& own = requests_[static_cast<std::size_t>(slot)];
  own = {.position = request.position,
         .by_prefill = false,
         .waiting = request,
         .eos_ids = {request.eos_ids.begin(), request.eos_ids.end()},
         .forced = {request.forced.begin(), request.forced.end()},
         .started = false};
  own.waiting.eos_ids = own.eos_ids;
  own.waiting.forced = own.forced;
}

/// Hands the request to the device, with the position of the first row that it runs.
void GraphDecoder::begin(int slot, std::int64_t position) {
  Request& own = requests_[static_cast<std::size_t>(slot)];
  own.waiting.position = position;
  step_->begin(slot, own.waiting);
  own.started = true;
}

void GraphDecoder::step(const StepBatch& batch) {
  const StepRows& first = batch.sequences.front();
  if (first.tokens.size() > static_cast<std::size_t>(kMaxStepRows)) {
    check(batch.sequences.size() == 1 && first.proposals == 0, "a long prefill is a step of its own");
    Request& own = requests_[static_cast<std::size_t>(first.slot)];
    const at::Tensor hidden = prefill(context_, first.slot, own.position, first.tokens);
    begin(first.slot, own.position + static_cast<std::int64_t>(first.tokens.size()) - 1);
    step_->enqueue_from_hidden(first.slot, hidden);
    own.by_prefill = true;
    return;
  }
  bool plain = true;
  for (const StepRows& rows : batch.sequences) {
    const Request& own = requests_[static_cast<std::size_t>(rows.slot)];
    if (!own.started) begin(rows.slot, own.position);
    plain = plain && rows.tokens.empty();
  }
  std::vector<int> slots;
  if (plain) {
    for (const StepRows& rows : batch.sequences) slots.push_back(rows.slot);
  }
  if (!plain || slots != plain_rows_) step_->set_rows(batch.sequences);
  plain_rows_ = std::move(slots);
  step_->enqueue();
}

StepToken GraphDecoder::result(int slot, int index) {
  const StepToken token = step_->result(slot, index);
  bool& by_prefill = requests_[static_cast<std::size_t>(slot)].by_prefill;
  if (std::exchange(by_prefill, false)) context_.model.check_arrived();
  return token;
}

std::vector<float> GraphDecoder::reading(int) const { throw InternalError("a decode step reads nothing"); }

}  // namespace specthink::inline engine
