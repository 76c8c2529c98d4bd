#include "evaluation/tasks/handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "evaluation/blanks.h"
#include "evaluation/tasks/choices.h"
#include "evaluation/tasks/code_prompts.h"
#include "evaluation/tasks/format_string.h"
#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::array<std::string_view, 1> kTemplate{"template"};
constexpr const char* kDifficultyField = "gpt_difficulty_parsed";  // of labelled NuminaMath, as get_task.py joins it

std::string known_of(const Task& task, const Row& row) {
  return known_answer(row.field(*task.answer_key, "answer_key"), task.answer_form,
                      fmt::format("{}: field '{}'", row.source(), *task.answer_key));
}

// The template over the row's fields; `prompt` is the question where the row has no such field.
std::string fill_from_row(const Task& task, const Row& row, const std::string& prompt) {
  const auto pieces = parse_format_string(task.prompt_template, task.path.string());
  return fill_in(pieces, [&](const std::string& field) {
    if (field == "prompt" && !row.contains(field)) return prompt;
    return row.text(field, "named by the template of " + task.path.string());
  });
}

bool every_row(const Task&, const ProblemOptions&, const Row&) { return true; }

bool url_contains(const Row& row, const std::string& part) {
  return row.text("url", "the filter by url").find(part) != std::string::npos;
}

bool is_of_year(const Task& task, const ProblemOptions&, const Row& row) {
  return !task.preprocess.url || url_contains(row, *task.preprocess.url);
}

bool is_of_2023(const Task& task, const ProblemOptions&, const Row& row) {
  return url_contains(row, task.preprocess.url.value_or("2023"));
}

bool is_of_difficulty(const Task& task, const ProblemOptions& options, const Row& row) {
  const auto& wanted = options.difficulty ? options.difficulty : task.preprocess.difficulty;
  return !wanted || row.text("difficulty", "the filter by difficulty") == *wanted;
}

bool is_numina_problem(const Task& task, const ProblemOptions& options, const Row& row) {
  const auto& source = options.source ? options.source : task.preprocess.source;
  if (source && row.text("source", "the filter by source") != *source) return false;
  if (!last_boxed(row.text(*task.answer_key, "answer_key"))) return false;
  if (!options.filter_difficulty && !task.preprocess.filter_difficulty) return true;
  const auto lower = options.math_difficulty_lower_bound ? options.math_difficulty_lower_bound
                                                         : task.preprocess.math_difficulty_lower_bound;
  const auto upper = options.math_difficulty_upper_bound ? options.math_difficulty_upper_bound
                                                         : task.preprocess.math_difficulty_upper_bound;
  const Json& difficulty = row.field(kDifficultyField, "the filter by difficulty; get_task.py --difficulty adds it");
  if (!difficulty.is_number()) return false;
  return (!lower || difficulty.get<double>() >= *lower) && (!upper || difficulty.get<double>() <= *upper);
}

Question ask_question(const Task& task, const ProblemOptions&, const Row& row) {
  const std::string text = row.text(task.problem_key, "question_key");
  return {text, fill_from_row(task, row, text), known_of(task, row)};
}

Question ask_gpqa(const Task& task, const ProblemOptions& options, const Row& row) {
  const std::string text = row.text(task.problem_key, "question_key");
  const Choices choices = gpqa_choices(row, text, options);
  return {text, fill_from_row(task, row, text + "\n" + join_choices(choices.texts, "{}) {}", ", ")),
          std::string(1, choices.right)};
}

Question ask_listed(const Task& task, const Row& row, const char* field, std::string known) {
  const std::string text = row.text(task.problem_key, "question_key");
  std::vector<std::string> options = row.texts(field, "the options");
  for (std::string& option : options) option = std::string(trim(option));
  if (options.size() > static_cast<std::size_t>(task.answer_form.num_choices)) {
    throw UserError("{}: expected at most {} options in the field '{}', found {}", row.source(),
                    task.answer_form.num_choices, field, options.size());
  }
  return {text, fill_from_row(task, row, text + "\nAnswer Choices: " + join_choices(options, "({}) {}", " ")),
          std::move(known)};
}

Question ask_mmlu(const Task& task, const ProblemOptions&, const Row& row) {
  return ask_listed(task, row, "choices", known_of(task, row));
}

// The index is what the original reads; the letter beside it says the same.
Question ask_mmlu_pro(const Task& task, const ProblemOptions&, const Row& row) {
  constexpr const char* kIndex = "answer_index";
  if (!row.contains(kIndex)) return ask_listed(task, row, "options", known_of(task, row));
  const AnswerForm form{GoldForm::index, task.answer_form.num_choices};
  return ask_listed(
      task, row, "options",
      known_answer(row.field(kIndex, "the answer"), form, fmt::format("{}: field '{}'", row.source(), kIndex)));
}

Question ask_arc(const Task& task, const ProblemOptions&, const Row& row) {
  const std::string text = row.text(task.problem_key, "question_key");
  const std::string listed = join_choices(arc_choices(row), "{}.{}", "\n");
  const auto pieces = parse_format_string(task.prompt_template, task.path.string());
  const std::string prompt = fill_in(pieces, [&](const std::string& field) {
    if (field == "choices_text") return listed;
    return row.text(field, "named by the template of " + task.path.string());
  });
  return {text, prompt, known_of(task, row)};
}

const std::array<Handler, 14>& handlers() {
  constexpr AnswerForm kPlain{};
  constexpr AnswerForm kNone{};
  constexpr AnswerForm kLetter{GoldForm::letter, 4};
  static const std::array<Handler, 14> table{{
      {"aime", kPlain, false, kTemplate, is_of_year, ask_question},
      {"amc23", kPlain, false, kTemplate, is_of_2023, ask_question},
      {"math", kPlain, false, kTemplate, every_row, ask_question},
      {"olympiadbench_math", {GoldForm::list, 0}, false, kTemplate, every_row, ask_question},
      {"numina", {GoldForm::boxed, 0}, false, kTemplate, is_numina_problem, ask_question},
      {"gsm8k", {GoldForm::hashes, 0}, false, kTemplate, every_row, ask_question},
      {"gpqa_diamond", kLetter, false, kTemplate, every_row, ask_gpqa},
      {"mmlu", {GoldForm::index, 4}, false, kTemplate, every_row, ask_mmlu},
      {"mmlu_pro", {GoldForm::letter, 16}, false, kTemplate, every_row, ask_mmlu_pro},
      {"arc_c", kLetter, false, kTemplate, every_row, ask_arc},
      {"livecodebench", kNone, true, kLiveCodeBenchTemplates, is_of_difficulty, ask_livecodebench},
      {"livecodebench_v5", kNone, true, kLiveCodeBenchTemplates, is_of_difficulty, ask_livecodebench},
      {"apps", kNone, true, kAppsTemplates, is_of_difficulty, ask_apps},
      {"taco", kNone, true, kTacoTemplates, is_of_difficulty, ask_taco},
  }};
  return table;
}

}  // namespace

const Handler* find_handler(std::string_view name) {
  const auto found =
      std::find_if(handlers().begin(), handlers().end(), [&](const Handler& handler) { return handler.name == name; });
  return found == handlers().end() ? nullptr : &*found;
}

std::vector<std::string> idle_filters(const Handler* handler, const Task& task, const ProblemOptions& options) {
  std::vector<std::string> idle;
  const bool has_difficulty = handler && handler->is_problem == is_of_difficulty;
  const bool is_numina = handler && handler->is_problem == is_numina_problem;
  const auto& preprocess = task.preprocess;
  if ((options.difficulty || preprocess.difficulty) && !has_difficulty) idle.emplace_back("difficulty");
  if ((options.source || preprocess.source) && !is_numina) idle.emplace_back("source");
  if ((options.filter_difficulty || preprocess.filter_difficulty) && !is_numina) idle.emplace_back("filter_difficulty");
  return idle;
}

std::vector<std::string> handler_names() {
  std::vector<std::string> names;
  for (const Handler& handler : handlers()) names.emplace_back(handler.name);
  return names;
}

}  // namespace specthink::inline evaluation
