// Result files of every kind as series, and whose text is whose.
#include "specthink/report/series.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "specthink/report/text_origins.h"

namespace specthink {
namespace {

std::string error_of(const std::string& name, const std::string& content) {
  const TemporaryFolder folder;
  const auto path = folder.write(name, content);
  return message_of<UserError>([&] { read_series(path); });
}

std::vector<ResultSeries> series_of(const std::string& name, const std::string& content) {
  const TemporaryFolder folder;
  return read_series(folder.write(name, content));
}

TEST(series, the_originals_benchmark_files) {
  const std::vector<ResultSeries> large = read_series(own_data() / "result_files" / "large_model.json");
  ASSERT_EQ(large.size(), 1u);
  EXPECT_EQ(large[0].kind, SystemKind::target);
  EXPECT_EQ(large[0].problems.size(), 3u);
  EXPECT_EQ(large[0].runs.size(), 9u);
  EXPECT_FALSE(large[0].runs[0].correct);
  EXPECT_EQ(large[0].runs[0].target_tokens(), static_cast<double>(large[0].runs[0].tokens));
  const std::vector<ResultSeries> spec = read_series(own_data() / "result_files" / "speculative_thinking.json");
  ASSERT_EQ(spec.size(), 1u);
  EXPECT_EQ(spec[0].kind, SystemKind::speculative);
  EXPECT_LT(*spec[0].runs[0].target_tokens(), static_cast<double>(spec[0].runs[0].tokens));
  EXPECT_FALSE(spec[0].runs[0].ledger);
}

constexpr const char* kEval = R"({"2+2?": {"answer": 4, "responses": {
  "0.6": [{"content": "Hm. Wait, 4.", "correctness": true, "reason": ""}, {"content": "5", "correctness": false, "reason": "no"}],
  "1.0": [{"content": "4", "correctness": null, "reason": null}, {"content": "4", "correctness": null, "reason": null}]},
 "token_usages": {
  "0.6": [{"completion_tokens": 7, "prompt_tokens": 3, "correct_tokens": [{"pos": 2, "token_num": 3, "traget": "Wait,"}],
           "time_spend": 1.5, "try_correct": 2}, {"completion_tokens": 1, "prompt_tokens": 3, "correct_tokens": [],
           "time_spend": 0.5, "try_correct": 0}],
  "1.0": [{"completion_tokens": 1, "prompt_tokens": 3}, {"completion_tokens": 1, "prompt_tokens": 3}]}}})";

TEST(series, the_originals_evaluation_file) {
  const std::vector<ResultSeries> series = series_of("eval.json", kEval);
  ASSERT_EQ(series.size(), 2u) << "one a temperature";
  EXPECT_EQ(series[0].temperature, 0.6);
  EXPECT_EQ(series[0].kind, SystemKind::speculative);
  EXPECT_EQ(series[1].kind, SystemKind::target);
  EXPECT_EQ(series[0].problems[0].text, "2+2?");
  EXPECT_EQ(series[0].problems[0].answer, "4");
  const SeriesRun& run = series[0].runs[0];
  EXPECT_EQ(run.correct, true);
  EXPECT_EQ(run.seconds, 1.5);
  EXPECT_EQ(run.target_tokens(), 3);
  EXPECT_EQ(run.validations, 2);
  EXPECT_FALSE(series[1].runs[0].correct);
  const std::vector<WrittenPiece> pieces = text_pieces(run, series[0].kind);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].text, "Hm. ");
  EXPECT_EQ(pieces[0].writer, Writer::draft);
  EXPECT_EQ(pieces[1].text, "Wait,");
  EXPECT_EQ(pieces[1].writer, Writer::target);
}

// The file's name says what the system is, the metrics beside it have the settings.
TEST(series, an_evaluation_has_its_settings_in_the_metrics) {
  const TemporaryFolder folder;
  const std::string name = "pair.yml_sums_None_subset_None_filter_False_s0_e-1_t0.6,1.0_n2.json";
  folder.write("metrics/" + name, R"({"config": {"target_model": "Org/Big-7B", "temperature": 0.6}})");
  const std::vector<ResultSeries> series = read_series(folder.write(name, kEval));
  EXPECT_EQ(series[0].name, "pair.yml_sums_None") << "the task is not in the file";
  EXPECT_EQ(series[0].settings.at("target_model"), "Org/Big-7B");
  EXPECT_EQ(series[1].temperature, 1.0);
  Json document = parse_json(kEval, "kEval");
  for (Json& problem : document) problem["task"] = "sums";
  const std::string bounded = "Big-7B_Big-7B_sums_None_subset_None_filter_True_s0_e-1_t0.6,1.0_n2_9.json";
  EXPECT_EQ(read_series(folder.write(bounded, document.dump()))[0].name, "Big-7B");
}

TEST(series, a_replay) {
  const std::vector<ResultSeries> series = series_of("replay.json", R"({"target_model": "Org/Big-7B",
    "speculative_model": "Org/Small-1B", "timestamp": "20300102_030405", "settings": {}, "policies": {"seed": {"runs":
    [{"problem": 3, "run": 1, "prompt_tokens": 5, "seconds": 2.5, "tokens": 100, "target": {"decode": {"steps": 40}}}]}}})");
  ASSERT_EQ(series.size(), 1u);
  EXPECT_EQ(series[0].name, "replay, Small-1B + Big-7B, loop original");
  EXPECT_EQ(series[0].problems[0].id, 3);
  EXPECT_EQ(series[0].runs[0].problem, 0u);
  EXPECT_EQ(series[0].runs[0].target_tokens(), 40);
}

TEST(series, other_files_are_refused) {
  expect_contains(error_of("x.json", "[1]"), "not a result file");
  expect_contains(error_of("x.json", "{}"), "not a result file");
  expect_contains(error_of("x.jsonl", "{\"problem\": 0}\n"), "not a result file");
  expect_contains(error_of("x.json", "{\"avg_completion_tokens\": 1, \"accuracy\": {}}"), "these are metrics");
  expect_contains(error_of("x.json", "{\"a\""), "x.json");
  expect_contains(error_of("x.json", R"({"model_type": "large_model", "config": {}, "results": {"problems": [
    {"problem": "p", "runs": [{"run": 0, "latency": -1, "num_tokens": 3}]}]}})"),
                  "problems[0]: runs[0]");
  expect_contains(error_of("x.json", R"({"model_type": "other", "config": {}})"), "model_type");
  expect_contains(error_of("x.json", R"({"p": {"responses": {"0.6": [{}]}, "token_usages": {"0.6": []}}})"),
                  "as many responses");
}

TEST(text_origins, lengths_are_in_characters) {
  SeriesRun run;
  run.text = "prompt|dräft→target";
  run.origins = Json::array({Json::array({"draft", 6u}), Json::array({"target", 6u})});
  const std::vector<WrittenPiece> pieces = text_pieces(run, SystemKind::speculative);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].writer, Writer::prompt);
  EXPECT_EQ(pieces[0].text, "prompt|");
  EXPECT_EQ(pieces[1].text, "dräft→");
  EXPECT_EQ(pieces[2].text, "target");
  run.origins = Json::array({Json::array({"draft", 60u})});
  EXPECT_EQ(text_pieces(run, SystemKind::speculative)[0].writer, Writer::unknown) << "lengths of another text";
  run.origins = Json::array({"draft"});
  EXPECT_EQ(text_pieces(run, SystemKind::target)[0].writer, Writer::target);
}

}  // namespace
}  // namespace specthink
