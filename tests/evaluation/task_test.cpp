#include "specthink/evaluation/task.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "evaluation/tasks/prompt_template.h"
#include "fixtures.h"

namespace specthink {
namespace {

constexpr const char* kTask = "name: t\ntemplate: \"{problem}\"\ndata: p.jsonl\n";

std::string render_marks(std::string_view text) {
  std::string result;
  for (const PromptPiece& piece : parse_template(text)) result += piece.is_field ? "<" + piece.text + ">" : piece.text;
  return result;
}

TEST(prompt_template, fields_among_latex) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{problem}", "<problem>"},
      {"a{x}b{y_1}", "a<x>b<y_1>"},
      {R"(in \boxed{}. Problem: {prompt})", R"(in \boxed{}. Problem: <prompt>)"},
      {R"(\boxed{answer} {answer})", R"(\boxed{answer} <answer>)"},
      {R"(\frac{a}{b}{c} {d})", R"(\frac{a}{b}{c} <d>)"},
      {R"(\{x\} { x } {1} {a-b} {} {)", R"(\{x\} { x } {1} {a-b} {} {)"},
      {"{{problem}} {problem}", "{problem} <problem>"},
      {R"(\boxed{{}})", R"(\boxed{})"},
      {"{{x} {x}}", "{<x> <x>}"},
      {"", ""},
      {"{abc", "{abc"},
      {"\\", "\\"},
      {"{\xC3\xA4}", "{\xC3\xA4}"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(render_marks(text), expected) << text;
}

TEST(task, all_keys) {
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("t.yml",
                                           "name: demo\n"
                                           "template: \"Q: {question}\\n\\nin \\\\boxed{}\"\n"
                                           "data: p.jsonl\nproblem_key: question\nanswer_key: a\nid_key: key\n"
                                           "answer_pattern: 'answer is (\\d+)'\n"));
  EXPECT_EQ(task.name, "demo");
  EXPECT_EQ(task.prompt_template, "Q: {question}\n\nin \\boxed{}");
  EXPECT_EQ(task.answer_rule.find("answer is 5"), "5");
  folder.write("p.jsonl",
               "\xEF\xBB\xBF{\"key\": \"k1\", \"question\": \"1+1\", \"a\": 2, \"more\": [1]}\r\n\n"
               "{\"key\": 7, \"question\": \"\xC3\xA4\", \"a\": \"3\"}");
  const std::vector<Problem> problems = load_problems(task, "", 10);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].id, "k1");
  EXPECT_EQ(problems[0].problem, "1+1");
  EXPECT_EQ(problems[0].prompt, "Q: 1+1\n\nin \\boxed{}");
  EXPECT_EQ(problems[0].answer, "2");
  EXPECT_EQ(problems[1].id, 7);
  EXPECT_EQ(problems[1].answer, "3");
  EXPECT_EQ(load_problems(task, "", 1).size(), 1u);
}

TEST(task, ids_are_what_they_are) {
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("t.yml", "name: t\ntemplate: '{prompt}'\ndata: p.jsonl\n"));
  const std::string long_id(5000, 'x');
  folder.write(
      "p.jsonl",
      "{\"problem\": \"P\", \"id\": null}\n{\"problem\": \"P\", \"id\": 2.5}\n{\"problem\": \"P\", \"id\": \"" +
          long_id + "\"}\n");
  const std::vector<Problem> problems = load_problems(task, "", 5);
  EXPECT_TRUE(problems[0].id.is_null());
  EXPECT_EQ(problems[1].id, 2.5);
  EXPECT_EQ(problems[2].id, long_id);
}

TEST(task, defaults_and_prompt_field) {
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("t.yml", "name: t\ntemplate: '{prompt} ({level})'\ndata: p.jsonl\n"));
  folder.write("p.jsonl",
               "{\"problem\": \"P\", \"level\": 2.5}\n{\"problem\": \"P\", \"prompt\": \"own\", \"level\": \"x\"}\n");
  const std::vector<Problem> problems = load_problems(task, "", 5);
  EXPECT_EQ(problems[0].prompt, "P (2.5)");
  EXPECT_EQ(problems[1].prompt, "own (x)");
  EXPECT_EQ(problems[1].id, 1);
  EXPECT_FALSE(problems[0].answer);
}

TEST(task, search_order) {
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("configs/t.yml", kTask));
  const auto data = folder.path() / "data";
  const std::string missing = message_of<UserError>([&] { find_problems(task, data); });
  expect_contains(missing, "--data-dir");
  expect_contains(missing, "SPECTHINK_DATA");
  expect_contains(missing, (data / "tasks" / "p.jsonl").string());
  const auto beside = folder.write("configs/p.jsonl", "{}");
  EXPECT_EQ(find_problems(task, data), beside);
  const auto below = folder.write("data/tasks/p.jsonl", "{}");
  EXPECT_EQ(find_problems(task, data), below);
  const auto first = folder.write("data/p.jsonl", "{}");
  EXPECT_EQ(find_problems(task, data), first);
  EXPECT_EQ(find_problems(task, ""), beside);

  Task other = task;
  other.data = first.string();
  EXPECT_EQ(find_problems(other, ""), first);
  for (const char* path : {"../p.jsonl", "a/../../p.jsonl", ".."}) {
    other.data = path;
    expect_contains(message_of<UserError>([&] { find_problems(other, data); }), "leaves its folder");
  }
}

TEST(task, malformed_task_files) {
  struct Case {
    std::string yaml, expected, place;
  };
  const std::vector<Case> cases{
      {"", "expected a map", "t.yml"},
      {"- a\n", "expected a map", "t.yml:1"},
      {"name: t\ntemplate: '{p}'\n", "no key 'data'", "t.yml"},
      {std::string(kTask) + "answer_key: 5\n", "'answer_key', found 5; put it in quotes", "t.yml:4"},
      {std::string(kTask) + "answer_key: true\n", "'answer_key', found true", "t.yml:4"},
      {"template: '{p}'\ndata: d\n", "no key 'name'", "t.yml"},
      {"name: t\ndata: d\n", "no key 'template'", "t.yml"},
      {std::string(kTask) + "anwser_key: a\n", "did you mean 'answer_key'", "t.yml:4"},
      {std::string(kTask) + "name: u\n", "key \"name\" is given twice", "t.yml:4"},
      {std::string(kTask) + "answer_key: [a]\n", "'answer_key', found a list", "t.yml:4"},
      {std::string(kTask) + "answer_key: {a: b}\n", "'answer_key', found a map", "t.yml:4"},
      {std::string(kTask) + "answer_key:\n", "'answer_key', found null", "t.yml:4"},
      {std::string(kTask) + "answer_key: ''\n", "'answer_key', found the text", "t.yml:4"},
      {std::string(kTask) + "? [a]\n: b\n", "a key must be text", "t.yml:4"},
      {std::string(kTask) + "\"a\\nb\": c\n", "unknown key", "t.yml:4"},
      {std::string(kTask) + "answer_pattern: '('\n", "answer_pattern: not a regular expression", "t.yml:4"},
      {"name: t\ntemplate: 'no field'\ndata: d\n", "names no field", "t.yml:2"},
      {"name: t\ntemplate: \\n{problem}\ndata: d\n", "names no field", "t.yml:2"},
      {"name: t\n  more: u\n", "not valid YAML", "t.yml:"},
      {"name: [open\n", "not valid YAML", "t.yml:"},
      {"name: *unknown\n", "not valid YAML", "t.yml:1"},
      {std::string(kTask) + "---\nname: t\n", "second YAML document", "t.yml"},
      {std::string(20'000, '['), "", "t.yml:1"},
      {std::string("name: \0", 7), "control character", "t.yml:1"},
      {"name: \xff", "UTF-8", "t.yml:1"},
  };
  const TemporaryFolder folder;
  for (const Case& c : cases) {
    const auto path = folder.write("t.yml", c.yaml);
    const std::string message = message_of<UserError>([&] { load_task(path); });
    expect_contains(message, c.expected);
    expect_contains(message, (folder.path() / c.place).string());
  }
  expect_contains(message_of<UserError>([&] { load_task(folder.path() / "none.yml"); }), "none.yml");
  std::cout << "checked " << cases.size() << " malformed task files\n";
}

TEST(task, malformed_problem_files) {
  struct Case {
    std::string jsonl, expected, place;
  };
  const std::string good = "{\"problem\": \"a\", \"answer\": \"1\"}\n";
  const std::vector<Case> cases{
      {"", "no problem in it", "p.jsonl"},
      {"\n \n", "no problem in it", "p.jsonl"},
      {good + "\n{\"problem\": \n", "not valid JSON", "p.jsonl:3"},
      {good + "[1]\n", "expected a JSON object", "p.jsonl:2"},
      {good + "{\"answer\": \"1\"}\n", "no field 'problem' (problem_key), only answer", "p.jsonl:2"},
      {good + "{}\n", "no field 'problem'", "p.jsonl:2"},
      {good + "{\"problem\": \"a\"}\n", "no field 'answer' (answer_key)", "p.jsonl:2"},
      {good + "{\"problem\": null, \"answer\": 1}\n", "found null", "p.jsonl:2"},
      {good + "{\"problem\": [\"a\"], \"answer\": 1}\n", "found [\"a\"]", "p.jsonl:2"},
      {good + "{\"problem\": \"a\", \"answer\": true}\n", "found true", "p.jsonl:2"},
      {good + "{\"problem\": \"a\", \"answer\": 1, \"id\": [1]}\n", "found [1]", "p.jsonl:2"},
      {good + "{\"problem\": \"a\", \"answer\": 1, \"id\": {}}\n", "(its id)", "p.jsonl:2"},
      {good + "{\"problem\": \"a\xff\", \"answer\": 1}\n", "not valid JSON", "p.jsonl:2"},
      {good + std::string(1000, '[') + "\n", "nested deeper", "p.jsonl:2"},
      {good + good.substr(0, 10), "not valid JSON", "p.jsonl:2"},
  };
  const TemporaryFolder folder;
  const Task task = load_task(folder.write("t.yml", std::string(kTask) + "answer_key: answer\n"));
  for (const Case& c : cases) {
    folder.write("p.jsonl", c.jsonl);
    const std::string message = message_of<UserError>([&] { load_problems(task, "", 100); });
    expect_contains(message, c.expected);
    expect_contains(message, (folder.path() / c.place).string());
  }
  std::cout << "checked " << cases.size() << " malformed problem files\n";

  folder.write("p.jsonl", good);
  const Task unknown = load_task(folder.write("u.yml", "name: t\ntemplate: '{problem} {subject}'\ndata: p.jsonl\n"));
  const std::string message = message_of<UserError>([&] { load_problems(unknown, "", 1); });
  expect_contains(message, "no field 'subject'");
  expect_contains(message, "u.yml");
  const Task with_id = load_task(folder.write("i.yml", std::string(kTask) + "id_key: uid\n"));
  expect_contains(message_of<UserError>([&] { load_problems(with_id, "", 1); }), "no field 'uid'");
}

TEST(task, own_problem_file) {
  const Task task = load_task(own_data() / "tasks" / "notations.yml");
  const std::vector<Problem> problems = load_problems(task, "", 1000);
  ASSERT_EQ(problems.size(), 40u);
  for (const Problem& problem : problems) {
    EXPECT_EQ(problem.prompt, "Write it in \\boxed{}.\n\nProblem: " + problem.problem);
    EXPECT_TRUE(problem.answer && !problem.answer->empty());
  }
  EXPECT_EQ(problems[3].id, "n3");
}

TEST(task, shared_problem_files) {
  if (!std::filesystem::exists(shared_data() / "tasks")) GTEST_SKIP() << "no shared data in " << shared_data();
  const TemporaryFolder folder;
  std::size_t count = 0;
  for (const char* name : {"aime24", "aime25", "math500"}) {
    const Task task = load_task(folder.write(
        "t.yml",
        fmt::format("name: x\ntemplate: 'Problem: {{problem}} <think>'\ndata: {}.jsonl\nanswer_key: answer\n", name)));
    const std::vector<Problem> problems = load_problems(task, shared_data(), 1000);
    EXPECT_GE(problems.size(), 30u);
    for (const Problem& problem : problems) {
      EXPECT_EQ(problem.prompt, "Problem: " + problem.problem + " <think>");
      EXPECT_TRUE(problem.answer && !problem.answer->empty());
    }
    count += problems.size();
  }
  std::cout << "checked " << count << " problems\n";
}

}  // namespace
}  // namespace specthink
