// Figures, files and tables, compared with files of the original program's format: our own, and recorded ones.
#include "specthink/evaluation/summary.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "evaluation/benchmark_fixtures.h"
#include "specthink/base/file.h"
#include "specthink/evaluation/console.h"
#include "specthink/evaluation/judge.h"
#include "specthink/report/jsonl.h"

namespace specthink {
namespace {

/// A result file of each kind.
struct ResultFiles {
  std::filesystem::path large;
  std::filesystem::path spec;
  const std::filesystem::path& of(TestMode mode) const { return mode == TestMode::large ? large : spec; }
};

const ResultFiles& own_files() {
  static const ResultFiles files{own_data() / "result_files" / "large_model.json",
                                 own_data() / "result_files" / "speculative_thinking.json"};
  return files;
}

const ResultFiles& recorded_files() {
  static const ResultFiles files{shared_data() / "seed_runs" / "large_model_benchmark_20260105_135500.json",
                                 shared_data() / "seed_runs" / "speculative_thinking_benchmark_20260105_152011.json"};
  return files;
}

OrderedJson read_document(const std::filesystem::path& path) { return OrderedJson::parse(read_file(path)); }

bool have_recorded() { return std::filesystem::exists(recorded_files().spec); }

std::vector<RunRecord> records_of(const OrderedJson& document, RunMode mode, const std::vector<std::string>& answers) {
  std::vector<RunRecord> records;
  const OrderedJson& problems = document.at("results").at("problems");
  for (std::size_t p = 0; p < problems.size(); ++p) {
    for (const OrderedJson& run : problems[p].at("runs")) {
      RunOutcome outcome;
      outcome.latency = run.at("latency").get<double>();
      outcome.result.ids.resize(run.at("num_tokens").get<std::size_t>());
      outcome.result.text = run.at("generated_text").get<std::string>();
      const auto tokens = static_cast<std::int64_t>(outcome.result.ids.size());
      outcome.result.ledger.target = mode == RunMode::large ? tokens : run.at("large_model_tokens").get<std::int64_t>();
      outcome.result.ledger.draft = tokens - outcome.result.ledger.target;
      outcome.result.ledger.nominal_target_tokens = outcome.result.ledger.target;
      Problem problem;
      problem.answer = answers.at(p);
      records.push_back(make_record({mode, p, run.at("run").get<std::size_t>()}, outcome));
      Judge().record(records.back(), problem, AnswerRule());
      EXPECT_DOUBLE_EQ(records.back().throughput, run.at("throughput").get<double>());
      EXPECT_DOUBLE_EQ(records.back().large_model_ratio, run.at("large_model_ratio").get<double>());
    }
  }
  return records;
}

void expect_same_statistics(const OrderedJson& ours, const OrderedJson& recorded) {
  for (const auto& [section, figures] : recorded.items()) {
    for (const auto& [name, value] : figures.items()) {
      const OrderedJson& mine = ours.at(section).at(name);
      EXPECT_NEAR(mine.get<double>(), value.get<double>(), 1e-12 * std::abs(value.get<double>()))
          << section << " " << name;
      EXPECT_EQ(mine.is_number_integer(), value.is_number_integer()) << section << " " << name;
    }
  }
}

// All keys of `recorded` are in `ours`, in the same order.
void expect_keys_of(const OrderedJson& ours, const OrderedJson& recorded, const std::string& where) {
  std::vector<std::string> expected;
  std::set<std::string> names;
  for (const auto& [key, value] : recorded.items()) {
    expected.push_back(key);
    names.insert(key);
  }
  std::vector<std::string> found;
  for (const auto& [key, value] : ours.items()) {
    if (names.contains(key)) found.push_back(key);
  }
  EXPECT_EQ(found, expected) << where;
  for (const auto& [key, value] : recorded.items()) {
    if (!ours.contains(key)) continue;
    const OrderedJson& mine = ours.at(key);
    if (value.is_object()) expect_keys_of(mine, value, where + "." + key);
    if (value.is_array() && !value.empty() && value[0].is_object() && !mine.empty()) {
      expect_keys_of(mine[0], value[0], where + "." + key);
    }
  }
}

TEST(summary, own_statistics) {
  const OrderedJson large_file = read_document(own_files().large);
  const OrderedJson spec_file = read_document(own_files().spec);
  const std::vector<std::string> answers{"17", "3/2", "42"};
  const ModeSummary large = summarize_mode(RunMode::large, records_of(large_file, RunMode::large, answers));
  const ModeSummary spec = summarize_mode(RunMode::spec, records_of(spec_file, RunMode::spec, answers));
  expect_same_statistics(to_json(large), large_file.at("statistics"));
  expect_same_statistics(to_json(spec), spec_file.at("statistics"));
  ASSERT_TRUE(large.accuracy && spec.accuracy);
  EXPECT_DOUBLE_EQ(large.accuracy->mean, 8 / 9.0) << "one run of the first problem is wrong";
  EXPECT_DOUBLE_EQ(spec.accuracy->mean, 8 / 9.0);
}

TEST(summary, recorded_statistics) {
  if (!have_recorded()) GTEST_SKIP() << "no shared data in " << shared_data();
  const OrderedJson large_file = read_document(recorded_files().large);
  const OrderedJson spec_file = read_document(recorded_files().spec);
  const std::vector<std::string> answers{"70", "588", "16", "117", "279"};
  const ModeSummary large = summarize_mode(RunMode::large, records_of(large_file, RunMode::large, answers));
  const ModeSummary spec = summarize_mode(RunMode::spec, records_of(spec_file, RunMode::spec, answers));
  expect_same_statistics(to_json(large), large_file.at("statistics"));
  expect_same_statistics(to_json(spec), spec_file.at("statistics"));

  // The reference figures: 25 and 23 of 25 right, 2.21 times faster.
  ASSERT_TRUE(large.accuracy && spec.accuracy);
  EXPECT_DOUBLE_EQ(large.accuracy->mean, 25 / 25.0);
  EXPECT_DOUBLE_EQ(spec.accuracy->mean, 23 / 25.0);
  const Comparison comparison = compare(large, spec);
  EXPECT_NEAR(comparison.speedup, 2.21, 0.005);
  EXPECT_NEAR(comparison.throughput_improvement, 60.16 / 24.85, 0.005);
  EXPECT_NEAR(comparison.large_model_reduction, 1 - spec.nominal_target_tokens.mean / 8963.04, 1e-12);
  EXPECT_GT(comparison.large_model_reduction, 0.7);
  std::cout << "checked " << large.runs + spec.runs << " recorded runs\n";
}

void expect_files_with_the_keys_of(const ResultFiles& files) {
  const std::vector<Problem> problems = made_up_problems();
  for (const TestMode mode : {TestMode::large, TestMode::spec}) {
    const TemporaryFolder folder;
    Benchmark benchmark(made_up_task(), problems, made_up_options(folder.path(), mode));
    benchmark.prepare();
    benchmark.start();
    ASSERT_EQ(run_serially(benchmark, made_up_outcome, never), BenchmarkStatus::finished);
    benchmark.write_results();
    const OrderedJson ours = OrderedJson::parse(read_file(benchmark.result_path()));
    expect_keys_of(ours, read_document(files.of(mode)), "file");
    const OrderedJson& run = ours.at("results").at("problems")[0].at("runs")[0];
    EXPECT_EQ(run.contains("large_model_tokens"), mode == TestMode::spec);
  }
}

TEST(summary, files_have_the_keys_of_the_format) { expect_files_with_the_keys_of(own_files()); }

TEST(summary, files_have_the_recorded_keys) {
  if (!have_recorded()) GTEST_SKIP() << "no shared data in " << shared_data();
  expect_files_with_the_keys_of(recorded_files());
}

TEST(summary, accuracy_counts_runs_with_answers) {
  std::vector<RunRecord> records(5);
  records[0].correct = true;
  records[1].correct = false;
  records[2].correct = true;
  const ModeSummary summary = summarize_mode(RunMode::large, records);
  ASSERT_TRUE(summary.accuracy);
  EXPECT_EQ(summary.accuracy->n, 3u);
  EXPECT_EQ(summary.runs, 5u);
  const OrderedJson json = to_json(summary);
  EXPECT_DOUBLE_EQ(json.at("accuracy").at("mean").get<double>(), 2 / 3.0);
  EXPECT_LT(json.at("accuracy").at("low").get<double>(), 0.3);
  EXPECT_EQ(json.at("accuracy").at("n"), 3);
  EXPECT_FALSE(to_json(summarize_mode(RunMode::spec, records)).contains("accuracy"));
}

// Ten runs of one problem say as much of other problems as one does; equal wrong answers outvote a right one.
TEST(summary, accuracy_clusters_by_problem) {
  std::vector<RunRecord> records(6);
  const char* answers[] = {"1/2", "0.5", "7", "3", "3", "3"};
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].key = {RunMode::large, i / 3, i % 3};
    records[i].answer = answers[i];
    records[i].correct = i >= 3;
  }
  records.push_back(records[0]);
  records.back().key = {RunMode::spec, 0, 0};
  records.back().correct = true;
  const ModeSummary large = summarize_mode(RunMode::large, records);
  EXPECT_EQ(large.samples.at(0).wrong, (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(large.accuracy->problems, 2u);
  EXPECT_EQ(large.accuracy->effective_n, 2);
  ASSERT_EQ(large.accuracy_at_k.size(), 2u);
  EXPECT_EQ(large.accuracy_at_k[1].k, 3u);
  EXPECT_EQ(to_json(large).at("maj_at_k").at("3").at("mean"), 0.5);
  const std::optional<PairedDifference> difference = compare(large, summarize_mode(RunMode::spec, records)).accuracy;
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->problems, 1u) << "the other one has no run of spec";
  EXPECT_EQ(difference->mean, 1);
}

TEST(summary, console_has_all_sections) {
  std::vector<RunRecord> records;
  const std::vector<Problem> problems = made_up_problems();
  for (const RunMode mode : {RunMode::large, RunMode::spec}) {
    for (std::size_t p = 0; p < problems.size(); ++p) {
      const RunKey key{mode, p, 0};
      records.push_back(make_record(key, made_up_outcome(problems[p], key)));
      Judge().record(records.back(), problems[p], AnswerRule());
    }
  }
  const std::vector<ModeSummary> both{summarize_mode(RunMode::large, records), summarize_mode(RunMode::spec, records)};
  const std::string text = summary_text(both);
  for (const char* part :
       {"Latency (s)", "Throughput (tokens/s)", "Tokens", "Target share (nominal, %)", "ratio", "0.48x",
        "Overall speed-up:            2.09x", "Throughput improvement:      2.09x",
        "Reduction of target tokens:  74.0 % (nominal), 68.0 %", "Accuracy (%)", "100.0 [34.2, 100.0]",
        "Accuracy, difference:        +0.0 points", "McNemar", "target share, real (%)", "takeovers",
        "wasted steps of the draft", "tokens the target caught up"}) {
    expect_contains(text, part);
  }
  const std::string alone = summary_text(std::span(both).subspan(1));
  expect_contains(alone, "Latency (s)");
  EXPECT_EQ(alone.find("ratio"), std::string::npos) << alone;
  EXPECT_EQ(alone.find("speed-up"), std::string::npos) << alone;

  const std::vector<ModeSummary> three{both[0], both[1], both[1]};
  EXPECT_EQ(summary_text(three).find("ratio"), std::string::npos) << "three columns have no single ratio";
}

}  // namespace
}  // namespace specthink
