// The rows of the option table that belong to prompts, judging, eval and report.
#include "config/json_object.h"
#include "config/option_builder.h"

namespace specthink::inline config {

using enum Affects;
using Form = Text::Form;

void add_judging(TableBuilder& table) {
  using Part = EvaluationSettings;
  constexpr auto kPart = &Settings::evaluation;
  table.begin(Group::judging);
  table.add(kJudge, nothing, {"answers", "JSONL of texts with known answers; without one, stdin is read"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::answers);
  table.add(kBench | kEval | kJudge | kReport | kConfig, nothing,
            {"judge",
             "who compares answers: exact is this program, math-verify a helper process (launch/setup.sh eval installs "
             "it), both asks the second for what the first leaves open, where it is installed"},
            Choice<JudgeMode>{
                {{"exact", JudgeMode::exact}, {"math-verify", JudgeMode::math_verify}, {"both", JudgeMode::both}}},
            JudgeMode::both, kPart, &Part::judge);
  table.add(kBench | kEval | kConfig, tokens,
            {"choice_order",
             "of a question's options: shuffled by question and seed, or with the right one first as in the original"},
            Choice<ChoiceOrder>{{{"shuffled", ChoiceOrder::shuffled}, {"original", ChoiceOrder::original}}},
            ChoiceOrder::shuffled, kPart, &Part::choice_order);
}

void add_prompts(TableBuilder& table) {
  using Part = EvaluationSettings;
  constexpr auto kPart = &Settings::evaluation;
  constexpr unsigned kPrompted = kGenerate | kBench | kEval | kServe | kConfig;
  table.begin(Group::prompts);
  table.add(kPrompted, tokens, {"system_prompt", "the system message before the user's, or @FILE that holds it"},
            Text{.form = Form::text_or_at_path, .name = "TEXT|@FILE"}, {}, kPart, &Part::system_prompt);
  table.add(kPrompted, tokens, {"system_prompt_template", "a system prompt of model_configs by its name"},
            Text{.name = "NAME"}, {}, kPart, &Part::system_prompt_template);
  table.add(
      kPrompted, tokens,
      {"model_prompts", "original: system prompt and user template that model_configs has for the target"},
      Choice<ModelPromptsSource>{{{"none", ModelPromptsSource::none}, {"original", ModelPromptsSource::original}}},
      ModelPromptsSource::none, kPart, &Part::model_prompts);
  table.add(kPrompted, nothing,
            {"model_configs", "the original's prompts by model; without it, model_configs.yaml of data_dir"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::model_configs);
  table.add(kPrompted, tokens,
            {"chat_template_kwargs", "more variables of the chat template, such as {\"enable_thinking\": false}"},
            JsonObject{}, {}, kPart, &Part::chat_template_kwargs);
}

void add_eval(TableBuilder& table) {
  using Part = EvalSettings;
  constexpr auto kPart = &Settings::eval;
  table.begin(Group::eval);
  table.add(
      kEval, nothing,
      {"evals", "tasks: names of task files in data_dir, its folder tasks or configs/tasks, or the files themselves"},
      NameList{"TASK"}, {"aime25"}, kPart, &Part::evals);
  table.add(kEval, nothing, {"n", "answers to each problem at each temperature", "samples"}, Integer{}, 5, kPart,
            &Part::n);
  table.add(kEval, nothing, {"temperatures", "0 is greedy; without them that of the configuration"}, NumberList{},
            {0.6}, kPart, &Part::temperatures);
  table.add(kEval, nothing, {"start", "the first problem, of those that the filters leave", "place, from 0"},
            Integer{.min = 0}, 0, kPart, &Part::start);
  table.add(kEval, nothing, {"end", "the place behind the last problem; -1: all of them", "place, from 0"},
            Integer{.min = -1}, -1, kPart, &Part::end);
  const Text name{.name = "NAME"};
  table.add(kEval, nothing,
            {"split", "of the data set, whose problems are in TASK-SUBSET-SPLIT.jsonl; without it the task file's"},
            name, {}, kPart, &Part::split);
  table.add(kEval, nothing, {"subset", "of the data set, as split"}, name, {}, kPart, &Part::subset);
  table.add(kEval, nothing, {"difficulty", "only problems of this difficulty; without it the task file's"}, name, {},
            kPart, &Part::difficulty);
  table.add(kEval, nothing, {"source", "only problems of this source; without it the task file's"}, name, {}, kPart,
            &Part::source);
  table.add(kEval, nothing, {"filter_difficulty", "numina: only problems within the bounds of difficulty"}, Boolean{},
            false, kPart, &Part::filter_difficulty);
  table.add(kEval, nothing, {"math_difficulty_lower_bound", "numina: the least difficulty"}, OptionalInteger{}, {},
            kPart, &Part::math_difficulty_lower_bound);
  table.add(kEval, nothing, {"math_difficulty_upper_bound", "numina: the greatest difficulty"}, OptionalInteger{}, {},
            kPart, &Part::math_difficulty_upper_bound);
  table.add(kEval, nothing, {"result_dir", "folder of the result files"},
            Text{.form = Form::path, .name = "DIR", .null_allowed = false}, "./eval", kPart, &Part::result_dir);
  table.add(kEval, nothing, {"check", "judge the answers of a result file anew; needs no models"}, Boolean{}, false,
            kPart, &Part::check);
  table.add(kEval, nothing,
            {"inference", "write answers without judging them; code tasks need it, as nothing scores them yet"},
            Boolean{}, false, kPart, &Part::inference);
}

void add_report(TableBuilder& table) {
  using Part = ReportSettings;
  constexpr auto kPart = &Settings::report;
  table.begin(Group::report);
  table.add(kReport, nothing, {"report_files", "result files; the same as the arguments"}, NameList{"FILE"}, {}, kPart,
            &Part::files);
  table.add(kReport, nothing,
            {.key = "report_output",
             .help = "the page; without it report.html, or stdout for markdown",
             .flag = "output",
             .letter = 'o'},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::output);
  table.add(
      kReport, nothing,
      {.key = "report_texts",
       .help = "runs whose texts are in the page: auto (as many as fit 5 MB, one of each problem first), none, all, "
               "or problems and runs from 0 such as 0,3/1",
       .flag = "texts"},
      Text{.name = "auto|none|all|LIST", .null_allowed = false}, "auto", kPart, &Part::texts);
}

}  // namespace specthink::inline config
