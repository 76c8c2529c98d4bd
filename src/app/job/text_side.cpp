#include "app/job/text_side.h"

#include <filesystem>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"

namespace specthink::inline app {
namespace {

bool same_tokenizer_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto path = [](const std::filesystem::path& folder) { return folder / "tokenizer.json"; };
  return std::filesystem::exists(path(a)) && std::filesystem::exists(path(b)) &&
         read_file(path(a)) == read_file(path(b));
}

}  // namespace

TextSide::TextSide(const ProcessGroup& world, const LoadedModels& models, const Settings& settings)
    : models_(models), settings_(settings) {
  together(world, [&] {
    if (!models_.is_root()) return;
    load_prompts();
    load();
  });
}

void TextSide::load_prompts() {
  const EvaluationSettings& settings = settings_.evaluation;
  if (settings.system_prompt && settings.system_prompt_template) {
    throw UserError("--system-prompt and --system-prompt-template are both given; leave out one of them");
  }
  if (!settings.chat_template_kwargs.empty()) {
    kwargs_ = parse_messages(settings.chat_template_kwargs, "chat_template_kwargs");
  }
  const bool is_original = settings.model_prompts == ModelPromptsSource::original;
  if (is_original || settings.system_prompt_template) {
    const std::filesystem::path file = find_model_configs(settings.model_configs, settings_.data_dir);
    if (is_original) prompts_ = prompts_of_model(file, settings_.models.target);
    if (settings.system_prompt_template)
      prompts_.system_prompt = system_prompt_named(file, *settings.system_prompt_template);
  }
  if (!settings.system_prompt) return;
  const std::string& text = *settings.system_prompt;
  prompts_.system_prompt = text.starts_with('@') ? read_file(text.substr(1)) : text;
}

OrderedJson TextSide::with_prompts(OrderedJson messages) const {
  const auto role_of = [](const OrderedJson& message) { return message.value("role", ""); };
  for (OrderedJson& message : messages) {
    const auto content = message.find("content");
    if (role_of(message) == "user" && content != message.end() && content->is_string()) {
      *content = prompts_.user_message(content->get<std::string>());
    }
  }
  if (!prompts_.system_prompt || (!messages.empty() && role_of(messages[0]) == "system")) return messages;
  const OrderedJson system{{"role", "system"}, {"content", *prompts_.system_prompt}};
  messages.insert(messages.begin(), system);
  return messages;
}

void TextSide::load() {
  const std::filesystem::path& target = models_.target_folder();
  const bool has_draft = models_.has_draft();
  if (!Tokenizer::is_in(target)) {
    if (!has_draft) return;
    throw UserError(
        "{} has no tokenizer.json: the thinking schedule reads the text that the models write; add it, or run the "
        "target alone (--draft none)",
        target.string());
  }
  tokenizer_ = Tokenizer::load(target);
  if (has_draft) load_draft();
}

void TextSide::load_draft() {
  const std::filesystem::path& target = models_.target_folder();
  const std::filesystem::path& draft = models_.draft_folder();
  if (settings_.schedule.mode == Mode::vllm_p) {
    draft_tokenizer_ = Tokenizer::load(draft);
  } else if (!same_tokenizer_file(target, draft)) {
    const Tokenizer draft_tokenizer = Tokenizer::load(draft);
    const std::string difference = tokenizer_->base_difference(draft_tokenizer);
    if (!difference.empty()) {
      throw UserError("{} and {} do not share a tokenizer: {}; use `mode: vllm_p`, where they share text",
                      target.string(), draft.string(), difference);
    }
    if (!tokenizer_->same_added_tokens(draft_tokenizer)) {
      spdlog::warn("target and draft have different added tokens; the target's are used");
    }
  }
  policy_texts_.load(settings_, tokenizer_of(Role::draft),
                     [this]() -> const ChatTemplate& { return template_of(Role::target); });
}

const Tokenizer& TextSide::tokenizer_of(Role role) const {
  return has_own_tokenizer(role) ? *draft_tokenizer_ : require_tokenizer();
}

const ChatTemplate& TextSide::template_of(Role role) {
  const bool own = has_own_tokenizer(role);
  std::optional<ChatTemplate>& chat_template = templates_[static_cast<std::size_t>(own ? role : Role::target)];
  if (!chat_template) {
    chat_template.emplace(ChatTemplate::load(own ? models_.draft_folder() : models_.target_folder()));
  }
  return *chat_template;
}

/// The model that writes alone, or none: the schedule runs.
std::optional<Role> TextSide::writer_alone(std::optional<Role> alone) const {
  if (!alone && !models_.has_draft()) return Role::target;
  return alone;
}

const Tokenizer& TextSide::require_tokenizer() const {
  if (!tokenizer_) {
    throw UserError("{} has no tokenizer.json: add it, or give token ids with --prompt-ids",
                    models_.target_folder().string());
  }
  return *tokenizer_;
}

/// The model in whose ids the prompt is.
Role TextSide::reader_of(std::optional<Role> alone) const {
  return writer_alone(alone).value_or(settings_.schedule.mode == Mode::vllm_p ? Role::draft : Role::target);
}

TextSide::Prompt TextSide::make_prompt(const OrderedJson& messages, bool enable_thinking, std::optional<Role> alone,
                                       const OrderedJson& kwargs) {
  const Role reader = reader_of(alone);
  OrderedJson variables = kwargs_;
  variables.update(kwargs);
  // As the original: where the models do not share ids in whole requests, its prompts do not begin the answer.
  const ChatTemplate::Options options{
      .add_generation_prompt = writer_alone(alone) || settings_.schedule.mode == Mode::vllm,
      .enable_thinking = enable_thinking && settings_.generate.thinking,
      .kwargs = variables};
  const Tokenizer& tokenizer = tokenizer_of(reader);
  Prompt prompt;
  prompt.text = template_of(reader).render(with_prompts(messages), options);
  prompt.ids = tokenizer.encode(prompt.text);
  return prompt;
}

TextSide::Prompt TextSide::make_text_prompt(std::string text, std::optional<Role> alone) const {
  TokenIds ids = tokenizer_of(reader_of(alone)).encode_with_start(text);
  return {std::move(ids), std::move(text)};
}

TextSide::Prompt TextSide::make_prompt(TokenIds ids) const {
  Prompt prompt;
  if (draft_tokenizer_) prompt.text = draft_tokenizer_->decode(ids);
  prompt.ids = std::move(ids);
  return prompt;
}

void TextSide::install_stops(Engine& engine) const { policy_texts_.install(engine); }

RunSetup TextSide::make_setup(Prompt prompt, std::optional<Role> alone, std::optional<Policy> policy) const {
  const std::optional<Role> writer = writer_alone(alone);
  RunSetup setup;
  setup.settings = settings_.schedule;
  setup.normal_mode = writer.has_value();
  setup.normal_role = writer.value_or(Role::target);
  setup.tokenizer = writer && has_own_tokenizer(*writer) ? &*draft_tokenizer_ : tokenizer();
  setup.draft_tokenizer = draft_tokenizer_ ? &*draft_tokenizer_ : nullptr;
  if (policy) setup.settings.policy = *policy;
  if (!writer) policy_texts_.add_to(setup);
  setup.eos_ids = models_.target_config().eos_ids;
  if (const ModelConfig* draft = models_.draft_config()) {
    setup.eos_ids.insert(setup.eos_ids.end(), draft->eos_ids.begin(), draft->eos_ids.end());
  }
  if (const Tokenizer* speaker = draft_tokenizer_ ? &*draft_tokenizer_ : tokenizer()) {
    setup.tokenizer_eos = speaker->eos_token_id();
  }
  setup.ignore_eos = settings_.sampling.ignore_eos;
  setup.prompt = std::move(prompt.ids);
  setup.prompt_text = std::move(prompt.text);
  setup.max_tokens = settings_.max_tokens;
  setup.max_model_len = static_cast<int>(models_.context_limit());
  return setup;
}

}  // namespace specthink::inline app
