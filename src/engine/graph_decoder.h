// Decoding by the kernels of a decode step; prefills of more rows than a step takes run by the model's forward pass.
#pragma once

#include <memory>
#include <vector>

#include "engine/prefill.h"
#include "specthink/engine/decoder.h"

namespace specthink::inline engine {

class GraphDecoder final : public Decoder {
 public:
  GraphDecoder(const PrefillContext& context, std::unique_ptr<DecodeStep> step)
      : context_(context), step_(std::move(step)), requests_(kMaxSlots) {}

  std::string description() const override;
  /// The host learns of a step's end while the next one runs.
  int steps_ahead() const override { return 2; }
  int max_rows() const override { return step_->max_rows(); }
  bool takes(const StepRequest& request) const override;
  void set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) override {
    step_->set_stop_table(id, entries, vocab);
  }
  void start(int slot, const StepRequest& request) override;
  void step(const StepBatch& batch) override;
  StepToken result(int slot, int index) override;
  std::vector<float> reading(int slot) const override;  ///< it takes none
  std::vector<KernelTimes> timeline() const { return step_->timeline(); }

 private:
  struct Request {
    std::int64_t position = 0;  // of the first token
    bool by_prefill = false;    // its first token follows a prefill whose arrival is to be checked
    StepRequest waiting;        // set until the first step says how many tokens there are
    TokenIds eos_ids;           // what waiting.eos_ids points to
    TokenIds forced;            // what waiting.forced points to
    bool started = false;
  };

  void begin(int slot, std::int64_t position);

  PrefillContext context_;
  std::unique_ptr<DecodeStep> step_;
  std::vector<Request> requests_;  // by slot
  std::vector<int> plain_rows_;    // slots of the layout {slot, {}} … that the device has; empty: it has another one
};

}  // namespace specthink::inline engine
