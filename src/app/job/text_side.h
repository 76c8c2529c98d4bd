// The side of a job that knows text: tokenizer, chat template and triggers. On rank 0 of a group.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "app/job/loaded_models.h"
#include "app/job/policy_texts.h"
#include "specthink/evaluation/model_prompts.h"
#include "specthink/report/jsonl.h"
#include "specthink/schedule/schedule.h"
#include "specthink/text/chat_template.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app {

class TextSide {
 public:
  /// Reads the tokenizer on rank 0 of the group that holds the models; elsewhere there is no text. A draft needs a
  /// tokenizer, and one that writes as the target's does, but in mode vllm_p: throws UserError otherwise. Collective
  /// over the world.
  /// `models` and `settings` must outlive this.
  TextSide(const ProcessGroup& world, const LoadedModels& models, const Settings& settings);

  const Tokenizer* tokenizer() const { return tokenizer_ ? &*tokenizer_ : nullptr; }  ///< null: the folder has none
  const Tokenizer& require_tokenizer() const;                                         ///< throws UserError

  /// A prompt as the model that writes first reads it.
  struct Prompt {
    TokenIds ids;
    std::string text;  ///< of mode vllm_p
  };

  /// The chat template over `messages`, encoded, with the system prompt, user template and variables of the template
  /// that the settings name; a system message of `messages` itself stays alone. For one model alone or for the
  /// schedule, as make_setup(). Throws UserError.
  /// `kwargs`: variables of the template that take precedence over those of the settings.
  Prompt make_prompt(const OrderedJson& messages, bool enable_thinking, std::optional<Role> alone = {},
                     const OrderedJson& kwargs = OrderedJson::object());

  /// A text that is to be continued as it stands.
  Prompt make_text_prompt(std::string text, std::optional<Role> alone = {}) const;

  /// A prompt of given ids.
  Prompt make_prompt(TokenIds ids) const;

  /// Gives the engine the strings that requests of the chosen policies stop at.
  void install_stops(Engine& engine) const;

  /// A run over this prompt with the settings; by one model alone, or by the schedule, with the settings' policy unless
  /// another one is given. Without a draft the target is always alone.
  RunSetup make_setup(Prompt prompt, std::optional<Role> alone = {}, std::optional<Policy> policy = {}) const;

  /// The messages with the system prompt and the user template that the settings ask for.
  OrderedJson with_prompts(OrderedJson messages) const;

 private:
  void load();
  void load_prompts();
  void load_draft();
  std::optional<Role> writer_alone(std::optional<Role> alone) const;
  Role reader_of(std::optional<Role> alone) const;
  bool has_own_tokenizer(Role role) const { return role == Role::draft && draft_tokenizer_.has_value(); }
  const Tokenizer& tokenizer_of(Role role) const;
  const ChatTemplate& template_of(Role role);

  const LoadedModels& models_;
  const Settings& settings_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<Tokenizer> draft_tokenizer_;              // in mode vllm_p
  std::array<std::optional<ChatTemplate>, 2> templates_;  // by Role; read when they are needed first
  PolicyTexts policy_texts_;
  ModelPrompts prompts_;
  OrderedJson kwargs_ = OrderedJson::object();  // of the chat template
};

}  // namespace specthink::inline app
