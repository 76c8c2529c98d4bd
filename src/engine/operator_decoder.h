// Decoding in LibTorch operators: everywhere, for every model and every way to sample. The host samples.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "engine/prefill.h"
#include "specthink/comm/collectives.h"
#include "specthink/engine/decoder.h"
#include "specthink/engine/sampling.h"

namespace specthink::inline engine {

class OperatorDecoder final : public Decoder {
 public:
  OperatorDecoder(const PrefillContext& context, Collectives& collectives)
      : context_(context), collectives_(collectives), slots_(kMaxSequences) {}

  std::string description() const override { return "LibTorch operators"; }
  int steps_ahead() const override { return 1; }
  int max_rows() const override { return kMaxStepRows; }
  bool takes(const StepRequest&) const override { return true; }
  void set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) override;
  void start(int slot, const StepRequest& request) override;
  void step(const StepBatch& batch) override;
  StepToken result(int slot, int index) override;
  std::vector<float> reading(int slot) const override;

 private:
  struct Slot {
    StepRequest request;  // eos_ids, read_ids and forced: of the vectors below
    TokenIds eos_ids;
    TokenIds read_ids;
    TokenIds forced;
    std::vector<float> reading;
    std::int64_t position = 0;  // of the next row
    TokenId last = 0;           // emitted last
    std::uint32_t stop_state = 0;
    bool ended = false;
    std::vector<StepToken> tokens;  // all that the request has emitted
  };
  struct StopEntries {
    std::vector<std::uint16_t> entries;
    std::int64_t vocab = 0;
  };

  at::Tensor hidden_states(const StepBatch& batch);
  /// A token, and what is asked for of its distribution.
  struct Choice {
    TokenId token = 0;
    TokenStatistics statistics{};
  };
  Choice choose(const at::Tensor& logits, std::vector<Candidate> candidates, Slot& slot, std::int64_t position);
  std::vector<std::vector<Candidate>> gather_all(const StepBatch& batch, const at::Tensor& logits);
  void emit(Slot& slot, const Choice& choice);
  bool completes_trigger(Slot& slot, TokenId token) const;

  PrefillContext context_;
  Collectives& collectives_;
  std::vector<Slot> slots_;
  std::map<int, StopEntries> stop_tables_;
};

}  // namespace specthink::inline engine
