// The side of a job that knows text: tokenizer, chat template and triggers. On rank 0 of a group.
#pragma once

#include <optional>
#include <string>

#include "app/job/loaded_models.h"
#include "specthink/evaluation/model_prompts.h"
#include "specthink/report/jsonl.h"
#include "specthink/schedule/schedule.h"
#include "specthink/text/chat_template.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app {

class TextSide {
 public:
  /// Reads the tokenizer on rank 0 of the group that holds the models; elsewhere there is no text. A draft needs a
  /// tokenizer, and one that writes as the target's does: throws UserError otherwise. Collective over the world.
  /// `models` and `settings` must outlive this.
  TextSide(const ProcessGroup& world, const LoadedModels& models, const Settings& settings);

  const Tokenizer* tokenizer() const { return tokenizer_ ? &*tokenizer_ : nullptr; }  ///< null: the folder has none
  const Tokenizer& require_tokenizer() const;                                         ///< throws UserError

  /// Ids of a prompt: the chat template over `messages`, encoded, with the system prompt, user template and variables
  /// of the template that the settings name. A system message of `messages` itself stays alone.
  TokenIds encode_messages(const OrderedJson& messages, bool enable_thinking);

  /// Gives the engine the triggers that requests of the schedule stop at.
  void install_triggers(Engine& engine) const;

  /// A run over this prompt with the settings; by one model alone, or by the schedule. Without a draft the target is
  /// always alone.
  RunSetup make_setup(TokenIds prompt, std::optional<Role> alone = {}) const;

 private:
  void load();
  void load_prompts();
  OrderedJson with_prompts(OrderedJson messages) const;

  const LoadedModels& models_;
  const Settings& settings_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> chat_template_;  // read when it is needed first
  std::optional<StopTable> triggers_;
  ModelPrompts prompts_;
  OrderedJson kwargs_ = OrderedJson::object();  // of the chat template
};

}  // namespace specthink::inline app
