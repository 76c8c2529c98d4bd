// How one model answers requests: of several sequences at a time, by steps over rows of any of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "specthink/kernels/decode_step.h"

namespace specthink::inline engine {

/// The rows of one step, grouped by sequence, each slot at most once.
struct StepBatch {
  std::vector<StepRows> sequences;

  std::int64_t num_rows() const;
};

/// Every rank of a group makes the same calls in the same order and gets the same tokens.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// For the log: "decode kernels, fused all-reduce".
  virtual std::string description() const = 0;

  /// Steps that may be under way: step s of a request may be queued when the result of its step s - steps_ahead() was
  /// read and did not end it.
  virtual int steps_ahead() const = 0;

  /// Rows that a step may have, over all its sequences.
  virtual int max_rows() const = 0;

  /// Whether it can sample as the request asks.
  virtual bool takes(const StepRequest& request) const = 0;

  /// As DecodeStep::set_stop_table.
  virtual void set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) = 0;

  /// Starts a request in a slot. The next step of this slot has the tokens from request.position on.
  virtual void start(int slot, const StepRequest& request) = 0;

  /// A step over these rows; what it samples and emits is said at StepRows::proposals. A sequence with more than
  /// kMaxStepRows tokens is the only one of its step.
  virtual void step(const StepBatch& batch) = 0;

  /// Waits for token `index` of the slot's request; each is read once, in order.
  virtual StepToken result(int slot, int index) = 0;

  /// After the result of a request with read_ids: the log-probability of each in the raw distribution.
  virtual std::vector<float> reading(int slot) const = 0;
};

}  // namespace specthink::inline engine
