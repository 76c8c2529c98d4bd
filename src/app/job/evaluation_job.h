// The runs of benchmarks on all groups of a job: models, tokenizer, queue and progress.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "app/job/loaded_models.h"
#include "app/job/text_side.h"
#include "specthink/comm/rank_groups.h"
#include "specthink/evaluation/progress.h"
#include "specthink/evaluation/solver.h"
#include "specthink/evaluation/work_exchange.h"

namespace specthink::inline app {

class EvaluationJob {
 public:
  /// Reads the models' configurations and, on rank 0 of each group, the tokenizer. World and invocation must outlive
  /// this. Collective.
  /// `policies`: of the stages that steps prepare, where each has one of its own.
  EvaluationJob(const ProcessGroup& world, const Invocation& invocation, std::vector<RunMode> modes,
                std::vector<Policy> policies = {});

  struct Steps {
    /// On rank 0 of the world, before models are loaded: the benchmarks, prepared.
    std::function<std::vector<WorkStage>()> prepare;
    /// There, when all runs are recorded or a signal has stopped them. Returns the exit code.
    std::function<int(const std::vector<WorkStage>&)> conclude;
  };

  /// Collective; returns the exit code on every rank. Models are loaded only when runs are pending.
  int run(const Steps& steps);

  int ranks() const { return groups_.own().size(); }  ///< that share the models
  bool has_draft() const { return models_.has_draft(); }

  /// The messages that a problem's prompt becomes, the system's among them. On rank 0 of the world.
  OrderedJson conversation(const std::string& prompt) const;

 private:
  bool is_first() const { return world_.rank() == 0; }
  Json describe() const;
  void use_recorded_costs();
  int do_own_runs();
  int do_remote_runs();
  int do_group_runs(WorkSource& source);
  RunSetup setup_of(const std::string& message, std::optional<Role> alone, std::size_t stage);
  int end(const Steps& steps);

  const ProcessGroup& world_;
  const Settings& settings_;
  bool is_eval_;  // which compares no modes: one model alone has proposers, too
  std::vector<RunMode> modes_;
  std::vector<Policy> policies_;  // by stage; empty: all have that of the settings
  RankGroups groups_;
  LoadedModels models_;
  TextSide text_;
  std::optional<Mailbox> mailbox_;  // with several groups
  std::vector<WorkStage> stages_;   // on rank 0, as all that follow but the last
  std::optional<Progress> progress_;
  std::optional<WorkStages> work_;  // while it records, stages and progress are its own
  std::optional<WorkServer> server_;
  std::optional<RemoteWork> remote_;  // on rank 0 of the other groups
};

}  // namespace specthink::inline app
