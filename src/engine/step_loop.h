// The steps of one generate command: which are under way, and what they bring.
#pragma once

#include <deque>
#include <vector>

#include "engine/sequence.h"
#include "engine/speculation/speculator.h"
#include "specthink/base/stopwatch.h"
#include "specthink/comm/process_group.h"
#include "specthink/engine/decoder.h"

namespace specthink::inline engine {

class StepLoop {
 public:
  /// `proposers`: one for each sequence. A loop in which no request speculates keeps steps in flight; with proposals
  /// each step waits for the one before, whose tokens they follow.
  StepLoop(Decoder& decoder, const ProcessGroup& group, std::vector<Sequence*> sequences, Speculator& speculator,
           std::vector<DraftProposer> proposers);

  /// Steps until a request has ended, or `max_steps` are done (0: no limit), and the results of all steps are read.
  void run(int max_steps);
  int num_steps() const { return num_steps_; }

 private:
  std::vector<StepBatch> first_steps();
  bool may_enqueue() const;
  StepBatch rows_of_those_going_on();
  StepRows rows_of(Sequence& sequence);
  void propose(std::span<Sequence* const> sequences);
  void enqueue(const StepBatch& batch);
  void collect();

  Decoder& decoder_;
  const ProcessGroup& group_;
  std::vector<Sequence*> sequences_;
  Speculator& speculator_;
  std::vector<DraftProposer> proposers_;
  bool speculates_;
  int num_steps_ = 0;                             // enqueued so far
  std::vector<TokenIds> verified_;                // by sequence: what StepRows::tokens of the coming step point to
  std::deque<std::vector<Sequence*>> under_way_;  // the sequences of each step whose results are not read yet
  Stopwatch watch_;                               // since the last step's results were read
};

}  // namespace specthink::inline engine
