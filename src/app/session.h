// What generate, score, bench and replay share: a group of ranks with both models loaded and, on rank 0, the text side.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"
#include "specthink/config/options.h"
#include "specthink/engine/engine.h"
#include "specthink/engine/runner.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/model/memory_plan.h"
#include "specthink/model/transformer.h"
#include "specthink/text/chat_template.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink {

/// Starts MPI, runs `body` on every rank and ends the job as one: a failure that `body` throws on one rank is printed
/// there and aborts the others; one that all agreed on (ReportedError) ends every rank with its code. A watchdog looks
/// for ranks that are gone or get nowhere for `collective_timeout` seconds.
int run_on_ranks(double collective_timeout, const std::function<int(const ProcessGroup& world)>& body);

/// With the default timeout.
int run_on_ranks(const std::function<int(const ProcessGroup& world)>& body);

/// Runs `body`; what it throws on this rank alone ends the whole job here, before anything is destroyed that needs the
/// other ranks. For code that owns such objects outside of `body`.
int end_job_on_failure(const ProcessGroup& world, const std::function<int()>& body);

/// Throws on every rank when the world is more than one group of --tp ranks: `command` has work for one. Collective.
void require_one_group(const ProcessGroup& world, const Invocation& invocation);

class Session {
 public:
  /// Reads configurations and tokenizer; cheap, so that bad input is found before weights are loaded. Collective over
  /// the world, of which `group` is this rank's part that holds a pair of models. `with_draft`: the settings' draft is
  /// used, if they name one. `with_text`: the tokenizer is read, which a draft needs unless requests are made of ids
  /// alone; without it there is no text side.
  Session(const ProcessGroup& world, const ProcessGroup& group, const Invocation& invocation, bool with_draft,
          bool with_text = true);

  /// For a world of one group.
  Session(const ProcessGroup& group, const Invocation& invocation, bool with_draft, bool with_text = true)
      : Session(group, group, invocation, with_draft, with_text) {}

  /// Loads both models and builds the engine. Collective over the world.
  void load();

  /// Rank 0 runs `root`, the others serve it; all return its exit code. What `root` throws between two commands ends
  /// every rank with that exit code; in a job of several groups it ends the job. Collective over the group.
  int drive(const std::function<int()>& root);

  bool is_root() const { return group_.rank() == 0; }
  bool has_draft() const { return draft_.has_value(); }
  const ProcessGroup& group() const { return group_; }
  Engine& engine() { return *engine_; }
  const ModelConfig& target_config() const { return target_.config; }
  const ModelConfig* draft_config() const { return draft_ ? &draft_->config : nullptr; }
  c10::Device device() const { return device_; }  ///< the CPU before load()

  /// Tokens of prompt and answer together that settings and models allow.
  std::int64_t context_limit() const;

  /// Bytes of this rank's GPU that the models were given by plan_memory(); 0 on CPUs.
  std::int64_t planned_bytes() const;

  std::int64_t capacity() const { return engine_->capacity(); }

  // The text side; on rank 0 only.
  const Tokenizer* tokenizer() const { return tokenizer_ ? &*tokenizer_ : nullptr; }  ///< null: the folder has none
  const Tokenizer& require_tokenizer() const;                                         ///< throws UserError

  /// Ids of a prompt: the chat template over `messages`, encoded.
  TokenIds encode_messages(const OrderedJson& messages, bool enable_thinking);

  /// Throws UserError for a prompt that is empty, does not fit the context or has ids outside the vocabulary.
  void check_prompt(std::span<const TokenId> ids) const;

  /// A run over this prompt with the settings of this session; by one model alone, or by the schedule. Without a draft
  /// the target is always alone.
  RunSetup make_setup(TokenIds prompt, std::optional<Role> alone = {}) const;
  SamplingParams sampling() const;

 private:
  struct ModelFiles {
    Role role;
    std::string name;  // as the user gave it
    std::filesystem::path folder;
    ModelConfig config;
    double utilization;
    std::unique_ptr<Transformer> transformer;
  };

  ModelFiles find_model(Role role, const std::string& name, double utilization) const;
  int drive_group(const std::function<int()>& root);
  void load_text();
  double wait_limit_seconds() const;
  std::int64_t prefill_rows(const ModelFiles& model) const;
  PeerSum::Options peer_sum_options() const;
  void load_model(ModelFiles& model);
  ModelMemory plan_of(const ModelFiles& model) const;  // on a GPU
  std::int64_t cache_tokens(const ModelFiles& model) const;

  const ProcessGroup& world_;
  const ProcessGroup& group_;
  const Settings& settings_;
  bool has_old_layout_;  // the settings name a number of GPUs a model
  c10::Device device_;
  std::int64_t gpu_memory_ = 0;  // of the group's smallest GPU; on CPUs 0
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<PeerSum> peer_sum_;  // null where the ranks have no common memory
  ModelFiles target_;
  std::optional<ModelFiles> draft_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> chat_template_;  // read when it is needed first
  std::optional<StopTable> triggers_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace specthink
