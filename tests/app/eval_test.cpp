// specthink eval and report, as a user runs them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "app/small_bench.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

using testing_support::count_lines;
using testing_support::count_messages;
using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::run_program;

// Random models, two tasks of two problems.
struct SmallEval {
  std::filesystem::path folder;

  explicit SmallEval(const std::string& name) : folder(fresh_folder(name)) {
    for (const std::string task : {"sums", "more"}) {
      std::ofstream(folder / (task + ".yml"))
          << "name: " << task << "\ntemplate: 'Solve: {problem}'\ndata: " << task << ".jsonl\nanswer_key: answer\n";
      std::ofstream(folder / (task + ".jsonl")) << "{\"problem\": \"1+1 " << task << "\", \"answer\": \"2\"}\n"
                                                << "{\"problem\": \"2+3 " << task << "\", \"answer\": \"5\"}\n";
    }
    std::ofstream(folder / "pair.yml")
        << "target_model_name: " << (testing_support::random_pair() / "target").string()
        << "\nspeculative_model_name: " << (testing_support::random_pair() / "draft").string()
        << "\ndtype: float32\nbegin: true\nbegin_token_num: 9\nnot_reasoning: true\nmax_target_tokens: 7\n"
           "original_recap_token_num: 11\nTRIGGER_TOKENS: [\"\\n\", \".\", \",\", a, e]\n";
  }

  std::filesystem::path results() const { return folder / "eval"; }
  std::string name(const std::string& task, const std::string& temperatures, int n) const {
    return "pair.yml_" + task + "_None_subset_None_filter_False_s0_e-1_t" + temperatures + "_n" + std::to_string(n);
  }
  std::string arguments() const {
    return "eval --spe_config " + (folder / "pair.yml").string() + " --data-dir " + folder.string() + " --result-dir " +
           results().string() + " --max_tokens 60 --ignore-eos --evals sums,more --n 2 --temperatures 0.6 1.0";
  }
};

void expect_format(const std::filesystem::path& file, const std::string& expected) {
  const std::string command = "python3 tests/app/check_eval_files.py '" + file.string() + "' " + expected;
  EXPECT_EQ(std::system(command.c_str()), 0) << file;
}

TEST(eval, tasks_and_temperatures_in_one_start) {
  const SmallEval eval("eval_tasks");
  const ProgramResult result = run_program(eval.arguments() + " --format json", 2);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* task : {"sums", "more"}) {
    expect_format(eval.results() / (eval.name(task, "0.6,1.0", 2) + ".json"), "2 0.6 1.0");
  }
  const Json summary = parse_json(result.out, "stdout");
  EXPECT_EQ(summary.at("tasks").size(), 2u);
  EXPECT_NE(result.err.find("[8/16]"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("more T=1.0"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("so far"), std::string::npos) << result.err;
  std::size_t loads = 0;
  for (std::size_t at = result.err.find("loaded in"); at != std::string::npos;
       at = result.err.find("loaded in", at + 1)) {
    ++loads;
  }
  EXPECT_LE(loads, 2u) << "each model once: " << result.err;

  // The same command has nothing left to do, and writes the same files.
  const auto path = eval.results() / (eval.name("sums", "0.6,1.0", 2) + ".json");
  const std::string before = read_file(path);
  std::filesystem::remove(path);
  const ProgramResult same = run_program(eval.arguments(), 2);
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(same.err.find("loaded in"), std::string::npos) << same.err;

  // Two groups give the same answers.
  const SmallEval groups("eval_groups");
  const ProgramResult grouped = run_program(groups.arguments() + " --tp 2 --batch 2", 4);
  ASSERT_EQ(grouped.exit_code, 0) << grouped.err;
  const Json expected = read_json(path);
  const Json found = read_json(groups.results() / (groups.name("sums", "0.6,1.0", 2) + ".json"));
  for (const auto& [problem, entry] : expected.items()) {
    EXPECT_EQ(found.at(problem).at("responses"), entry.at("responses")) << problem;
  }
}

TEST(eval, parts_and_checks) {
  const SmallEval eval("eval_parts");
  const std::string one_task = eval.arguments() + " --evals sums --temperatures 0.6";
  const auto path = eval.results() / (eval.name("sums", "0.6", 2) + ".json");
  ASSERT_EQ(run_program(one_task + " --part 1/2").exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(path)) << "the other part is missing";
  ASSERT_EQ(run_program(one_task + " --part 2/2").exit_code, 0);
  expect_format(path, "2 0.6");

  Json document = read_json(path);
  for (auto& [text, problem] : document.items()) problem["responses"]["0.6"][1]["content"] = "It is \\boxed{2}.";
  std::ofstream(path) << document.dump();
  const ProgramResult checked = run_program(one_task + " --check");
  ASSERT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(checked.err.find("loaded in"), std::string::npos) << checked.err;
  document = read_json(path);
  EXPECT_EQ(document.at("1+1 sums").at("responses").at("0.6")[1].at("correctness"), true);
  EXPECT_EQ(document.at("2+3 sums").at("responses").at("0.6")[1].at("correctness"), false);
  expect_format(path, "2 0.6");
}

TEST(eval, the_target_alone_writes_without_judging) {
  const SmallEval eval("eval_alone");
  const std::string arguments = "eval --model " + (testing_support::random_pair() / "target").string() +
                                " --data-dir " + eval.folder.string() + " --result-dir " + eval.results().string() +
                                " --max-tokens 20 --ignore-eos --evals sums --n 3 --temperatures 0 --end 1 --inference"
                                " --system-prompt 'Be brief.'";
  const ProgramResult result = run_program(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto path = eval.results() / "target_sums_None_subset_None_filter_False_s0_e1_t0.0_n1.json";
  expect_format(path, "1 0.0");
  ASSERT_EQ(read_json(path).size(), 1u);
  const Json conversation = read_json(path).at("1+1 sums").at("input_conversation");
  EXPECT_EQ(conversation, parse_json(R"([{"role": "system", "content": "Be brief."},
                                         {"role": "user", "content": "Solve: 1+1 sums"}])",
                                     "expected"));
  EXPECT_NE(result.out.find("sums: answers stored: 1, judged: none"), std::string::npos) << result.out;
}

TEST(eval, code_is_written_and_stored_but_not_scored) {
  const SmallEval eval("eval_code");
  std::ofstream(eval.folder / "code.yaml")
      << "handler: livecodebench\ndataset_path: some/data\ndataset_subset: null\ndataset_split: test\n"
         "question_key: task_id\nanswer_key: null\ntemplating_parameters:\n"
         "  stdin_template: \"{prompt}\"\n  non_stdin_template: \"{prompt}\"\n";
  std::ofstream(eval.folder / "code.jsonl") << R"({"task_id": "t", "prompt": "Add 1+1.", "is_stdin": true})"
                                            << "\n";
  const std::string arguments = eval.arguments() + " --evals sums,code --temperatures 0.6 --n 1 --max_tokens 20";
  for (const char* flags : {"", " --check"}) {
    const ProgramResult refused = run_program(arguments + flags);
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_EQ(count_messages(refused.err), 1) << refused.err;
    EXPECT_NE(refused.err.find("--evals code: its answers are programs"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("--inference"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("loaded in"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.out, "");
  }
  const ProgramResult result = run_program(arguments + " --inference");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("code: answers stored: 1, judged: none"), std::string::npos) << result.out;
  const auto path = eval.results() / "pair.yml_code_test_subset_None_filter_False_s0_e-1_t0.6_n1.json";
  EXPECT_FALSE(read_json(path).at("t").at("responses").at("0.6")[0].at("content").get<std::string>().empty());
  expect_format(path, "1 0.6");
}

TEST(eval, mistakes_are_one_message) {
  const SmallEval eval("eval_mistakes");
  const std::vector<std::pair<std::string, std::string>> cases{
      {" --evals sum", "did you mean 'sums'?"},
      {" --evals sums,sums", "given twice"},
      {" --start 2", "none of its 2 rows"},
      {" --start 2 --end 1", "no problem from --start 2"},
      {" --check --inference", "leave out one of them"},
      {" --check", "there is no"},
      {" --temperatures 0.6,x", "--temperatures"},
      {" --temperatures 0.6 0.6", "given twice"},
  };
  for (const auto& [flags, message] : cases) {
    const ProgramResult result = run_program(eval.arguments() + flags);
    EXPECT_EQ(result.exit_code, 2) << flags << result.err;
    EXPECT_EQ(count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << flags << ": " << result.err;
  }
}

// The runs that a page has with their texts.
Json details_of(const std::filesystem::path& page) {
  const std::string html = read_file(page);
  const std::size_t begin = html.find('[', html.find("details-data"));
  return parse_json(html.substr(begin, html.find("</script>", begin) - begin), "page");
}

TEST(report, of_a_benchmark_and_of_the_originals_files) {
  const testing_support::SmallBench bench("report_bench");
  ASSERT_EQ(run_program(bench.arguments()).exit_code, 0);
  const std::string file = bench.only_file(".json").string();
  const auto page = bench.folder / "page.html";
  const ProgramResult result =
      run_program("report " + file + " tests/data/result_files/large_model.json -o " + page.string());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string html = read_file(page);
  EXPECT_EQ(html.find("http://") == std::string::npos || html.find("src=\"http") == std::string::npos, true);
  const Json details = details_of(page);
  EXPECT_EQ(details.size(), 8u + 9u);
  int with_origins = 0;
  for (const Json& detail : details) {
    std::set<int> writers;
    for (const Json& piece : detail.at("pieces")) writers.insert(piece[0].get<int>());
    if (writers.contains(1) && writers.contains(2)) ++with_origins;
  }
  EXPECT_EQ(with_origins, 4) << "the runs of speculative thinking, by the draft and the target";

  const ProgramResult markdown = run_program("report " + file + " --format markdown");
  ASSERT_EQ(markdown.exit_code, 0) << markdown.err;
  EXPECT_NE(markdown.out.find("## Floating-point operations"), std::string::npos) << markdown.out;
  const ProgramResult json = run_program("report " + file + " --format json");
  EXPECT_EQ(parse_json(json.out, "stdout").at("systems").size(), 2u);
}

// What the segments of a run say in all is what its ledger counts.
TEST(report, segments_add_up_to_the_ledger) {
  const testing_support::SmallBench bench("report_segments");
  const ProgramResult made = run_program(bench.arguments() + " --token-speculation ngram --test-mode spec");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto page = bench.folder / "page.html";
  ASSERT_EQ(run_program("report " + bench.only_file(".json").string() + " -o " + page.string()).exit_code, 0);
  const Json details = details_of(page);
  ASSERT_EQ(details.size(), 4u);
  int proposed = 0;
  for (const Json& detail : details) {
    std::map<std::string, std::pair<int, int>> sums{{"ngram", {}}, {"draft", {}}};
    int tokens = 0;
    for (const Json& segment : detail.at("segments")) {
      const Json known = segment.size() > 4 ? segment[4] : Json::object();
      tokens += known.value("kept", segment[0] == "probe" ? 0 : segment[1].get<int>());
      EXPECT_EQ(known.contains("steps"), segment[0] != "inject") << segment;
      for (auto& [by, sum] : sums) {
        if (!known.contains(by)) continue;
        sum.first += known.at(by)[0].get<int>();
        sum.second += known.at(by)[1].get<int>();
      }
    }
    const Json& ledger = detail.at("ledger");
    const auto total = [](const Json& by_place) {
      const auto counts = by_place.get<std::vector<int>>();
      return std::accumulate(counts.begin(), counts.end(), 0);
    };
    for (const auto& [by, sum] : sums) {
      EXPECT_EQ(sum.first, total(ledger.at("proposed").at(by))) << by;
      EXPECT_EQ(sum.second, total(ledger.at("accepted").at(by))) << by;
      proposed += sum.first;
    }
    EXPECT_EQ(tokens,
              ledger.at("draft").get<int>() + ledger.at("target").get<int>() + ledger.at("injected").get<int>());
  }
  EXPECT_GT(proposed, 0);
}

TEST(report, mistakes_are_one_message) {
  const auto folder = fresh_folder("report_mistakes");
  std::ofstream(folder / "x.json") << "{}";
  const std::string file = (folder / "x.json").string();
  for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
           {"report", "expected result files"},
           {"report " + file, "not a result file"},
           {"report no.json", "no.json"},
           {"report tests/data/result_files/large_model.json --texts 1-", "--texts"},
           {"bench --format markdown", "markdown is a format of 'report' only"},
       }) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments << result.err;
    EXPECT_EQ(count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << ": " << result.err;
  }
}

}  // namespace
}  // namespace specthink
