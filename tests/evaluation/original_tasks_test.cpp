// Task files of the original, from file and data to judged runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "evaluation/benchmark_fixtures.h"
#include "evaluation/made_tasks.h"
#include "evaluation/tasks/format_string.h"
#include "evaluation/tasks/handlers.h"
#include "fixtures.h"
#include "shared_data.h"
#include "specthink/evaluation/task.h"

namespace specthink {
namespace {

// Runs all problems with a model that writes `answer` of each, and counts the right ones.
std::size_t count_right(const Task& task, std::vector<Problem> problems,
                        const std::function<std::string(const Problem&)>& answer) {
  const TemporaryFolder results;
  BenchmarkOptions options = made_up_options(results.path(), TestMode::large);
  options.num_runs = 1;
  Benchmark benchmark(task, problems, options);
  benchmark.prepare();
  benchmark.start();
  std::size_t right = 0;
  for (const RunKey& key : benchmark.pending()) {
    const Problem& problem = benchmark.problem(key);
    RunOutcome outcome = made_up_outcome(problem, key);
    outcome.result.text = problem.prompt + "Thoughts.\n</think>\n\nSo it is $\\boxed{" + answer(problem) + "}$.";
    const RunRecord record = benchmark.record(make_record(key, outcome));
    EXPECT_EQ(record.correct.has_value(), problem.answer.has_value());
    if (problem.answer) {
      EXPECT_EQ(record.extra.at("judge"), "exact");
    }
    if (record.correct.value_or(false)) ++right;
  }
  benchmark.write_results();
  return right;
}

void check_task(const Made& made, const std::filesystem::path& task_file) {
  const TemporaryFolder data;
  data.write(made.name + ".jsonl", one_line_each(made.rows));
  const Task task = load_task(task_file);
  EXPECT_EQ(task.name, made.name);
  EXPECT_EQ(task.is_code, made.known.empty());
  const std::vector<Problem> problems = load_problems(task, data.path(), kAllProblems);
  ASSERT_FALSE(problems.empty());
  expect_contains(problems[0].prompt, made.in_prompt);
  if (made.known.empty()) {
    for (const Problem& problem : problems) EXPECT_FALSE(problem.answer);
    EXPECT_EQ(count_right(task, problems, [](const Problem&) { return "print(1)"; }), 0u);
    return;
  }
  ASSERT_EQ(problems.size(), made.known.size());
  for (std::size_t i = 0; i < problems.size(); ++i) {
    ASSERT_TRUE(problems[i].answer);
    if (made.known[i] != "?") {
      EXPECT_EQ(*problems[i].answer, made.known[i]);
    }
  }
  EXPECT_EQ(count_right(task, problems, [](const Problem& problem) { return *problem.answer; }), problems.size());
  EXPECT_EQ(count_right(task, problems,
                        [](const Problem& problem) {
                          const bool is_letter = problem.answer->size() == 1 && std::isalpha((*problem.answer)[0]) != 0;
                          if (!is_letter) return std::string("-12345");
                          return std::string(*problem.answer == "C" ? "D" : "C");
                        }),
            0u);
}

TEST(original_tasks, of_our_own_making) {
  for (const Made& made : made_tasks()) {
    SCOPED_TRACE(made.name);
    const TemporaryFolder folder;
    check_task(made, folder.write(made.name + ".yaml", yaml_of(made)));
  }
}

TEST(original_tasks, as_users_have_them) {
  const auto folder = shared_data() / "original" / "tasks";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared data in " << shared_data();
  std::set<std::string> names;
  for (const Made& made : made_tasks()) {
    SCOPED_TRACE(made.name);
    check_task(made, folder / (made.name + ".yaml"));
    names.insert(made.name);
  }
  std::cout << "checked " << names.size() << " task files\n";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(names.contains(entry.path().stem().string())) << entry.path() << " has no made data";
  }
}

// What a file is called says nothing of how its answers are stored.
TEST(original_tasks, under_another_name) {
  const auto made = made_tasks();
  for (const auto& [name, other] : std::vector<std::pair<std::string, std::string>>{
           {"minervamath", "physics"}, {"math500", "minervamath2"}, {"math500", "gsm8k-like"}, {"gsm8k", "math"}}) {
    SCOPED_TRACE(name + " as " + other);
    Made renamed = *std::find_if(made.begin(), made.end(), [&](const Made& item) { return item.name == name; });
    renamed.name = other;
    const TemporaryFolder folder;
    check_task(renamed, folder.write(other + ".yaml", yaml_of(renamed)));
  }
}

// The recorded fault: the right answer always stands at A.
TEST(original_tasks, gpqa_order) {
  const TemporaryFolder folder;
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    rows += fmt::format(
        R"({{"Question": "Q{}", "Correct Answer": "right", "Incorrect Answer 1": "w1", "Incorrect Answer 2": "w2", "Incorrect Answer 3": "w3"}})",
        i);
    rows += "\n";
  }
  folder.write("gpqa.jsonl", rows);
  const Task task = load_task(folder.write(
      "gpqa.yaml",
      "handler: gpqa_diamond\ndataset_path: a/b\ndataset_split: train\nquestion_key: Question\nanswer_key: Answer\n"
      "templating_parameters:\n" +
          kTemplate + "\n"));
  const auto always_a = [](const Problem&) { return std::string("A"); };
  ProblemOptions original;
  original.choice_order = ChoiceOrder::original;
  const auto faulty = load_problems(task, "", kAllProblems, original);
  EXPECT_EQ(count_right(task, faulty, always_a), 60u);
  expect_contains(faulty[0].prompt, "Q0\nA) right, B) w1, C) w2, D) w3");
  const auto shuffled = load_problems(task, "", kAllProblems);
  const std::size_t at_a = count_right(task, shuffled, always_a);
  EXPECT_GT(at_a, 5u);
  EXPECT_LT(at_a, 25u);
  for (const Problem& problem : shuffled) {
    expect_contains(problem.prompt, *problem.answer + ") right");
  }
  ProblemOptions seeded;
  seeded.seed = 1;
  const auto other = load_problems(task, "", kAllProblems, seeded);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < other.size(); ++i) moved += other[i].answer != shuffled[i].answer ? 1 : 0;
  EXPECT_GT(moved, 20u);
}

TEST(original_tasks, filters) {
  const TemporaryFolder folder;
  const auto made = made_tasks();
  const auto find = [&](const std::string& name) -> const Made& {
    return *std::find_if(made.begin(), made.end(), [&](const Made& item) { return item.name == name; });
  };
  const auto ids = [&](const Task& task, const ProblemOptions& options) {
    std::string texts;
    for (const Problem& problem : load_problems(task, folder.path(), kAllProblems, options))
      texts += problem.problem + " ";
    return texts;
  };
  folder.write("numina.jsonl",
               R"({"source": "math", "problem": "a", "solution": "\\boxed{1}", "gpt_difficulty_parsed": 3}
{"source": "amc", "problem": "b", "solution": "\\boxed{1}", "gpt_difficulty_parsed": 5.5}
{"source": "math", "problem": "c", "solution": "\\boxed{1}", "gpt_difficulty_parsed": 9}
{"source": "math", "problem": "d", "solution": "\\boxed{1}", "gpt_difficulty_parsed": null}
)");
  const Task numina = load_task(folder.write("numina.yaml", yaml_of(find("numina"))));
  EXPECT_EQ(ids(numina, {}), "a b c d ");
  ProblemOptions options;
  options.source = "math";
  EXPECT_EQ(ids(numina, options), "a c d ");
  options.first = 1;
  EXPECT_EQ(ids(numina, options), "c d ");
  options = {};
  options.filter_difficulty = true;
  options.math_difficulty_lower_bound = 4;
  options.math_difficulty_upper_bound = 9;
  EXPECT_EQ(ids(numina, options), "b c ");
  const Task configured = load_task(
      folder.write("numina.yaml", yaml_of(find("numina")) + "preprocess_config:\n  filter_difficulty: true\n"
                                                            "  math_difficulty_upper_bound: 4\n  source: math\n"));
  EXPECT_EQ(ids(configured, {}), "a ");
  const Task code = load_task(folder.write("livecodebench.yaml", yaml_of(find("livecodebench"))));
  folder.write("livecodebench.jsonl", one_line_each(kCodeRows));
  options = {};
  options.difficulty = "hard";
  EXPECT_EQ(ids(code, options), "q2 ");
  options.difficulty = "none such";
  expect_contains(message_of<UserError>([&] { ids(code, options); }), "none of its 2 rows");
}

TEST(original_tasks, a_missing_file_names_the_command) {
  const TemporaryFolder folder;
  const auto path = folder.write("aime25.yaml", yaml_of(made_tasks()[4]));
  const Task task = load_task(path);
  expect_contains(message_of<UserError>([&] { find_problems(task, ""); }), "launch/get_task.py " + path.string());
  ProblemOptions options;
  options.split = "validation";
  const std::string message = message_of<UserError>([&] { find_problems(task, "", options); });
  expect_contains(message, "aime25-validation.jsonl");
  expect_contains(message, "--split validation");
  EXPECT_EQ(message.find("--from"), std::string::npos);
  Task of_files = task;
  of_files.dataset_path = "unused";  // as livecodebench_v5 has it: there is nothing on the hub
  expect_contains(message_of<UserError>([&] { find_problems(of_files, "", options); }), "--from FOLDER");
}

TEST(original_tasks, filters_that_a_handler_does_not_have_are_named) {
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("aime25.yaml", yaml_of(made_tasks()[4])));
  EXPECT_TRUE(idle_filters(find_handler(task.handler), task, {}).empty());
  ProblemOptions options;
  options.difficulty = "hard";
  options.source = "math";
  EXPECT_EQ(idle_filters(find_handler(task.handler), task, options),
            (std::vector<std::string>{"difficulty", "source"}));
  EXPECT_EQ(idle_filters(find_handler("numina"), task, options), std::vector<std::string>{"difficulty"});
  EXPECT_EQ(idle_filters(find_handler("apps"), task, options), std::vector<std::string>{"source"});
  EXPECT_EQ(idle_filters(nullptr, task, options).size(), 2u);
}

TEST(original_tasks, malformed_files) {
  struct Case {
    std::string yaml, expected;
  };
  const std::string good = yaml_of(made_tasks()[4]);
  const auto without = [&](const std::string& line) {
    std::string yaml = good;
    return yaml.erase(yaml.find(line), line.size());
  };
  const std::vector<Case> cases{
      {"handler: aimo\n", "t.yaml:1: unknown handler \"aimo\" (did you mean 'aime'?)"},
      {good + "dataset_spilt: x\n", "(did you mean 'dataset_split'?)"},
      {good + "preprocess_config:\n  urls: x\n", "(did you mean 'url'?)"},
      {good + "preprocess_config: x\n", "expected a map in 'preprocess_config'"},
      {good + "preprocess_config:\n  filter_difficulty: 3\n", "expected true or false in 'filter_difficulty'"},
      {good + "preprocess_config:\n  math_difficulty_lower_bound: x\n", "expected a number"},
      {without("question_key: problem\n"), "no key 'question_key'"},
      {without("answer_key: answer\n"), "no key 'answer_key', which the handler 'aime' needs"},
      {without("dataset_path: some/data\n"), "no key 'dataset_path'"},
      {without(kTemplate), "expected a map in 'templating_parameters', found null"},
      {without(kTemplate) + "  other: x\n", "templating_parameters has no 'template'"},
      {without(kTemplate) + "  template: \"{prompt} {}\"\n", "expected {field}, {{ or }} in a template, found \"{}\""},
      {without(kTemplate) + "  template: \"{prompt} }\"\n", "found \"}\""},
      {without(kTemplate) + "  template: \"{0}\"\n", "found \"{0}\""},
      {without(kTemplate) + "  template: [a]\n", "expected text in 'template', found a list"},
  };
  const TemporaryFolder folder;
  for (const Case& c : cases) {
    const auto path = folder.write("t.yaml", c.yaml);
    const std::string message = message_of<UserError>([&] { load_task(path); });
    expect_contains(message, c.expected);
    expect_contains(message, path.string());
  }
  std::cout << "checked " << cases.size() << " malformed task files\n";
}

TEST(original_tasks, malformed_rows) {
  const TemporaryFolder folder;
  std::size_t count = 0;
  for (const Made& made : made_tasks()) {
    const Task task = load_task(folder.write(made.name + ".yaml", yaml_of(made)));
    folder.write(made.name + ".jsonl", one_line_each(made.rows) + "{\"other\": 1}\n");
    const std::string message = message_of<UserError>([&] { load_problems(task, "", kAllProblems); });
    expect_contains(message, "has no field");
    expect_contains(message, made.name + ".jsonl:");
    ++count;
  }
  std::cout << "checked " << count << " malformed problem files\n";
}

TEST(format_string, fields_and_braces) {
  const auto filled = [](const char* text) {
    return fill_in(parse_format_string(text, "t"), [](const std::string& name) { return "<" + name + ">"; });
  };
  EXPECT_EQ(filled("in \\boxed{{}}. {prompt} {a_1}"), "in \\boxed{}. <prompt> <a_1>");
  EXPECT_EQ(filled("{{X}} {{{x}}}"), "{X} {<x>}");
  EXPECT_EQ(filled(""), "");
}

}  // namespace
}  // namespace specthink
