#include "app/job/policy_texts.h"

#include <algorithm>
#include <string>

#include "specthink/base/error.h"
#include "specthink/config/policies.h"
#include "specthink/report/target_share.h"

namespace specthink::inline app {

std::string question_suffix(const ChatTemplate& chat_template, const std::string& question,
                            const std::string& answer_start) {
  // Stands for the thinking: text that no template writes by itself and none takes apart.
  static const std::string kThinking = "specthink-thinking-so-far";
  const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", "."}},
                                                   {{"role", "assistant"}, {"content", kThinking}},
                                                   {{"role", "user"}, {"content", question}}});
  std::string rendered;
  try {
    rendered = chat_template.render(messages, {.add_generation_prompt = true, .enable_thinking = true});
  } catch (const UserError&) {  // a template that takes no second user turn
  }
  const std::size_t place = rendered.find(kThinking);
  if (place == std::string::npos) return "\n\n" + question + "\n" + answer_start;
  // Some templates begin the answer's thought themselves.
  constexpr std::string_view kThought = "<think>\n";
  const bool is_begun = rendered.ends_with(kThought) && answer_start.starts_with(kThought);
  return rendered.substr(place + kThinking.size()) + answer_start.substr(is_begun ? kThought.size() : 0);
}

void PolicyTexts::load_question(const ScheduleSettings& settings, const Tokenizer& tokenizer,
                                const ChatTemplate& chat_template) {
  const std::string suffix = question_suffix(chat_template, settings.score_question, settings.score_answer_start);
  question_ = tokenizer.encode(suffix);
  for (char digit = '0'; digit <= '9'; ++digit) {
    const TokenIds ids = tokenizer.encode(std::string(1, digit));
    if (ids.size() != 1) {
      throw UserError("policy score reads the probabilities of the digits, but the tokenizer has no token for {}",
                      digit);
    }
    digits_.push_back(ids.front());
  }
}

void PolicyTexts::load(const Settings& settings, const Tokenizer& tokenizer,
                       const std::function<const ChatTemplate&()>& chat_template) {
  const ScheduleSettings& schedule = settings.schedule;
  const std::vector<Policy> chosen = chosen_policies(settings);
  const auto any = [&](std::initializer_list<Policy> policies) {
    return std::ranges::any_of(policies,
                               [&](Policy policy) { return std::ranges::find(chosen, policy) != chosen.end(); });
  };
  const auto table = [&](std::span<const std::string> strings) { return StopTable(StopAutomaton(strings), tokenizer); };
  if (std::ranges::any_of(chosen, stops_at_triggers)) triggers_.emplace(table(schedule.trigger_tokens));
  if (any({Policy::relay})) {
    cues_.emplace(table(schedule.cues));
    sentence_ends_.emplace(table(sentence_end_strings()));
  }
  if (any({Policy::score, Policy::step_entropy})) step_ends_.emplace(table(step_end_strings()));
  if (any({Policy::score})) load_question(schedule, tokenizer, chat_template());
  if (any({Policy::random}) && schedule.target_rate && schedule.target_rate->automatic) {
    match_share_ = read_target_share(schedule.match_share);
  }
}

void PolicyTexts::install(Engine& engine) const {
  for (const std::optional<StopTable>* table : {&triggers_, &cues_, &sentence_ends_, &step_ends_}) {
    if (*table) engine.install_stop_table(**table);
  }
}

void PolicyTexts::add_to(RunSetup& setup) const {
  const auto pointer = [](const std::optional<StopTable>& table) { return table ? &*table : nullptr; };
  setup.triggers = pointer(triggers_);
  setup.cues = pointer(cues_);
  setup.sentence_ends = pointer(sentence_ends_);
  setup.step_ends = pointer(step_ends_);
  setup.question = question_;
  setup.digits = digits_;
  setup.match_share = match_share_;
}

}  // namespace specthink::inline app
