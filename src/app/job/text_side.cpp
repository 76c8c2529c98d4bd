#include "app/job/text_side.h"

#include <filesystem>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"

namespace specthink::inline app {
namespace {

bool same_file_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  return read_file(a) == read_file(b);
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
  if (has_draft) require_mode_exists(settings_.schedule.mode);
  if (!std::filesystem::exists(target / "tokenizer.json")) {
    if (!has_draft) return;
    throw UserError(
        "{} has no tokenizer.json: the thinking schedule reads the text that the models write; add it, or run the "
        "target "
        "alone (--draft none)",
        target.string());
  }
  tokenizer_ = Tokenizer::load(target);
  if (!has_draft) return;

  const std::filesystem::path& draft = models_.draft_folder();
  if (!same_file_content(target / "tokenizer.json", draft / "tokenizer.json")) {
    const Tokenizer draft_tokenizer = Tokenizer::load(draft);
    const std::string difference = tokenizer_->base_difference(draft_tokenizer);
    if (!difference.empty()) {
      throw UserError("{} and {} do not share a tokenizer, which mode vllm needs: {}", target.string(), draft.string(),
                      difference);
    }
    if (!tokenizer_->same_added_tokens(draft_tokenizer)) {
      spdlog::warn("target and draft have different added tokens; the target's are used");
    }
  }
  triggers_.emplace(StopAutomaton(settings_.schedule.trigger_tokens), *tokenizer_);
}

const Tokenizer& TextSide::require_tokenizer() const {
  if (!tokenizer_) {
    throw UserError("{} has no tokenizer.json: add it, or give token ids with --prompt-ids",
                    models_.target_folder().string());
  }
  return *tokenizer_;
}

TokenIds TextSide::encode_messages(const OrderedJson& messages, bool enable_thinking) {
  const Tokenizer& tokenizer = require_tokenizer();
  if (!chat_template_) chat_template_.emplace(ChatTemplate::load(models_.target_folder()));
  const ChatTemplate::Options options{.add_generation_prompt = true,
                                      .enable_thinking = enable_thinking && settings_.generate.thinking,
                                      .kwargs = kwargs_};
  return tokenizer.encode(chat_template_->render(with_prompts(messages), options));
}

void TextSide::install_triggers(Engine& engine) const {
  if (triggers_) engine.install_stop_table(*triggers_);
}

RunSetup TextSide::make_setup(TokenIds prompt, std::optional<Role> alone) const {
  RunSetup setup;
  setup.settings = settings_.schedule;
  setup.normal_mode = alone.has_value() || !models_.has_draft();
  setup.normal_role = alone.value_or(Role::target);
  setup.tokenizer = tokenizer();
  setup.triggers = triggers_ ? &*triggers_ : nullptr;
  setup.eos_ids = models_.target_config().eos_ids;
  if (const ModelConfig* draft = models_.draft_config()) {
    setup.eos_ids.insert(setup.eos_ids.end(), draft->eos_ids.begin(), draft->eos_ids.end());
  }
  if (tokenizer_) setup.tokenizer_eos = tokenizer_->eos_token_id();
  setup.ignore_eos = settings_.sampling.ignore_eos;
  setup.prompt = std::move(prompt);
  setup.max_tokens = settings_.max_tokens;
  setup.max_model_len = static_cast<int>(models_.context_limit());
  return setup;
}

}  // namespace specthink::inline app
