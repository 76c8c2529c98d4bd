// What a report says of made-up runs and of the recorded ones.
#include "specthink/evaluation/report_data.h"

#include <gtest/gtest.h>

#include "evaluation/analysis/reflections.h"
#include "evaluation/analysis/same_problem.h"
#include "evaluation/analysis/segment_data.h"
#include "fixtures.h"

namespace specthink {
namespace {

ResultSeries made_up_series(SystemKind kind, std::size_t problems, std::size_t runs) {
  ResultSeries series;
  series.kind = kind;
  series.name = kind == SystemKind::target ? "Big-7B alone" : "Small-1B + Big-7B";
  series.task = "made up";
  series.source = "x.json";
  series.settings = {{"target_model", "Org/Big-7B"}, {"speculative_model", "Org/Small-1B"}};
  for (std::size_t problem = 0; problem < problems; ++problem) {
    series.problems.push_back({problem, "problem " + std::to_string(problem), "4"});
    for (std::size_t i = 0; i < runs; ++i) {
      SeriesRun run;
      run.problem = problem;
      run.run = i;
      run.seconds = kind == SystemKind::target ? 4 : 2;
      run.tokens = 100;
      run.ledger = Ledger{};
      run.ledger->target = kind == SystemKind::target ? 100 : 25;
      run.ledger->draft = 100 - run.ledger->target;
      run.ledger->target_prefilled = 10;
      run.correct = problem % 2 == 0 || i == 0;
      run.answer = *run.correct ? "4" : "5";
      run.text = "So it is 4.\n\nWait, is it?\n\nYes: 4.";
      series.runs.push_back(std::move(run));
    }
  }
  return series;
}

const ReportTable& table_of(const ReportPage& page, const std::string& id) {
  for (const ReportTable& table : page.tables) {
    if (table.id == id) return table;
  }
  throw std::runtime_error("no table " + id);
}

std::string cell(const ReportPage& page, const std::string& id, std::size_t row, const std::string& column) {
  const ReportTable& table = table_of(page, id);
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i] == column) return table.rows.at(row).at(i);
  }
  throw std::runtime_error("no column " + column);
}

TEST(report_data, compares_at_each_temperature_and_whatever_a_task_is_called) {
  std::vector<ResultSeries> all;
  for (const SystemKind kind : {SystemKind::speculative, SystemKind::target}) {
    for (const double temperature : {0.6, 1.0}) {
      all.push_back(made_up_series(kind, 4, 2));
      all.back().temperature = temperature;
      all.back().task = kind == SystemKind::target ? "AIME25" : "aime25";  // as bench and eval call it
    }
  }
  const ReportPage page = make_report(std::move(all), TextChoice{});
  const ReportTable& table = table_of(page, "comparison");
  ASSERT_EQ(table.rows.size(), 2u);
  for (std::size_t row = 0; row < 2; ++row) {
    const std::string system = cell(page, "comparison", row, "system");
    const std::string base = cell(page, "comparison", row, "against");
    EXPECT_NE(base.find("alone"), std::string::npos) << base;
    const std::string temperature = row == 0 ? "0.6" : "1";
    EXPECT_TRUE(system.ends_with(temperature) && base.ends_with(temperature)) << system << " against " << base;
    EXPECT_EQ(cell(page, "comparison", row, "problems"), "4");
  }
}

TEST(report_data, a_task_is_the_same_under_other_names) {
  const auto named = [](const char* task, const char* prefix, std::size_t problems) {
    ResultSeries series = made_up_series(SystemKind::target, problems, 1);
    series.task = task;
    series.source = std::string(prefix) + ".json";
    for (SeriesProblem& problem : series.problems) problem.text = prefix + problem.text;
    return series;
  };
  const auto tasks_of = [](std::vector<ResultSeries> all) {
    const ReportPage page = make_report(std::move(all), TextChoice{});
    std::vector<std::string> tasks;
    for (const OrderedJson& system : page.charts.at("systems")) tasks.push_back(system.at("task"));
    for (std::size_t row = 0; row < tasks.size(); ++row) {
      if (tasks[row].empty()) continue;
      EXPECT_EQ(cell(page, "summary", row, "task"), tasks[row]);
    }
    return tasks;
  };
  using Tasks = std::vector<std::string>;
  EXPECT_EQ(tasks_of({named("MATH500", "a", 4), named("math500", "a", 2), named("", "a", 3), named("aime25", "b", 2)}),
            (Tasks{"MATH500", "MATH500", "MATH500", "aime25"}));
  EXPECT_EQ(tasks_of({named("math500", "a", 2), named("MATH500", "b", 2)}), (Tasks{"math500", "math500"}))
      << "other problems of the task";
  EXPECT_EQ(tasks_of({named("", "a", 2), named("", "b", 2), named("", "b", 1)}),
            (Tasks{"problems of a.json", "problems of b.json", "problems of b.json"}));
  EXPECT_EQ(tasks_of({named("", "a", 2)}), Tasks{""});
  // The last one has problems of both.
  ResultSeries both = named("", "a", 1);
  both.problems.push_back(named("", "b", 1).problems[0]);
  EXPECT_EQ(tasks_of({named("one", "a", 2), named("two", "b", 2), both}), (Tasks{"one", "one", "one"}));
}

TEST(report_data, a_system_alone_at_its_temperature_is_compared_with_another_one) {
  std::vector<ResultSeries> all{made_up_series(SystemKind::target, 4, 2),
                                made_up_series(SystemKind::speculative, 4, 2)};
  all[0].temperature = 0.6;
  all[1].temperature = 1.0;
  EXPECT_EQ(table_of(make_report(std::move(all), TextChoice{}), "comparison").rows.size(), 1u);
}

TEST(report_data, summary_and_comparison) {
  const ReportPage page = make_report(
      {made_up_series(SystemKind::speculative, 4, 2), made_up_series(SystemKind::target, 4, 2)}, TextChoice{});
  ASSERT_EQ(table_of(page, "summary").rows.size(), 2u);
  EXPECT_EQ(cell(page, "summary", 0, "problems"), "4");
  EXPECT_EQ(cell(page, "summary", 0, "runs"), "8");
  EXPECT_TRUE(cell(page, "summary", 0, "right (%)").starts_with("75.0 ["));
  EXPECT_TRUE(cell(page, "summary", 0, "pass@n (%)").starts_with("100.0 ["));
  EXPECT_EQ(cell(page, "summary", 0, "time (s)"), "2.00");
  EXPECT_EQ(cell(page, "summary", 0, "target share (%)"), "25.0");
  ASSERT_EQ(table_of(page, "comparison").rows.size(), 1u);
  EXPECT_EQ(cell(page, "comparison", 0, "against"), "Big-7B alone") << "the base, wherever its file stands";
  EXPECT_EQ(cell(page, "comparison", 0, "speed-up"), "2.00x");
  EXPECT_EQ(cell(page, "comparison", 0, "target tokens saved (%)"), "75.0");
  EXPECT_TRUE(cell(page, "comparison", 0, "accuracy, points").starts_with("+0.0 ["));
  // 2 x 7e9 x 100 decoded tokens = 1.4 TFLOP for the target alone.
  EXPECT_EQ(cell(page, "flops", 1, "target decode"), "1.40");
  EXPECT_EQ(cell(page, "flops", 0, "draft decode"), "0.15");
  EXPECT_EQ(table_of(page, "lengths").rows.size(), 4u);
  EXPECT_EQ(page.charts.at("systems").at(0).at("rows").at("problem").size(), 8u);
}

TEST(report_data, one_text_of_each_problem_first) {
  const ReportPage page = make_report({made_up_series(SystemKind::target, 3, 2)}, TextChoice{});
  ASSERT_EQ(page.details.size(), 6u);
  std::vector<int> rows;
  for (const OrderedJson& detail : page.details) rows.push_back(detail.at("row").get<int>());
  EXPECT_EQ(rows, (std::vector<int>{0, 2, 4, 1, 3, 5}));
  const auto texts = [](const char* choice) {
    return make_report({made_up_series(SystemKind::target, 3, 2)}, TextChoice::parse(choice)).details.size();
  };
  EXPECT_EQ(texts("none"), 0u);
  EXPECT_EQ(texts("all"), 6u);
  EXPECT_EQ(texts("1,2/0"), 3u);
  for (const char* bad : {"", "x", "1,,2", "1/", "-1", "1/2/3"}) {
    expect_contains(message_of<UserError>([&] { TextChoice::parse(bad); }), "--texts");
  }
}

TEST(report_data, segments_say_what_was_kept_and_why_not) {
  const std::vector<Segment> segments{
      {.by = "draft", .tokens = 9, .start_ms = 0, .ms = 12.34, .written = {4, {8, 5}, {}}},
      {.by = "probe", .tokens = 6, .kept = 2, .written = {6, {}, {}}},
      {.by = "probe", .tokens = 4, .kept = 0},
      {.by = "read", .tokens = 30, .kept = 0},
      {.by = "target", .tokens = 7, .why = "score 4", .written = {2, {1, 0}, {6, 5}}},
      {.by = "inject", .tokens = 3, .kept = 0},
      {.by = "probe", .tokens = 5, .kept = 0},
      {.by = "draft", .tokens = 5},
      {.by = "probe", .tokens = 5, .kept = 5},
      {.by = "target", .tokens = 5, .kept = 0, .why = "positive \"yes\""},
  };
  const OrderedJson expected = OrderedJson::parse(R"([
      ["draft", 9, 0.0, 12.3, {"steps": 4, "ngram": [8, 5]}],
      ["probe", 6, null, null, {"kept": 2, "dropped": "the target wrote instead: score 4", "steps": 6}],
      ["probe", 4, null, null, {"kept": 0, "dropped": "the target wrote instead: score 4"}],
      ["read", 30, null, null, {"kept": 0}],
      ["target", 7, null, null, {"why": "score 4", "steps": 2, "ngram": [1, 0], "draft": [6, 5]}],
      ["inject", 3, null, null, {"kept": 0, "dropped": "with the probe behind it"}],
      ["probe", 5, null, null, {"kept": 0, "dropped": "the target was not asked"}],
      ["draft", 5, null, null],
      ["probe", 5, null, null, {"kept": 5}],
      ["target", 5, null, null, {"kept": 0, "dropped": "the draft's text stayed", "why": "positive \"yes\""}]])");
  EXPECT_EQ(segment_data(segments), expected);
  ResultSeries series = made_up_series(SystemKind::speculative, 1, 1);
  series.runs[0].segments = segments;
  EXPECT_EQ(make_report({series}, TextChoice{}).details.at(0).at("segments"), expected);
}

TEST(report_data, equal_names_are_told_apart) {
  ResultSeries a = made_up_series(SystemKind::target, 1, 1);
  ResultSeries b = a;
  a.temperature = 0.6;
  b.temperature = 1.0;
  const ReportPage page = make_report({a, b, b}, TextChoice{});
  std::set<std::string> names;
  for (const auto& row : table_of(page, "summary").rows) names.insert(row[0]);
  EXPECT_EQ(names.size(), 3u);
}

TEST(same_problem, of_another_edition) {
  std::vector<Problem> problems(3);
  problems[0].problem = "Find the sum of all integer bases $b>9$ for which $17_b$ is a divisor of $97_b.$";
  problems[1].problem = "Find the number of pairs $(x, y)$ with $x + y = 3$.";
  problems[2].problem = "Find the number of pairs $(x, y)$ with $x + y = 5$.";
  const auto found = [&](const std::string& text) { return find_same_problem(text, problems); };
  EXPECT_EQ(found("Find the sum of all integer bases b > 9 for which $17_{b}$ is a divisor of $97_{b}$."),
            &problems[0]);
  EXPECT_EQ(found(" Find the number of pairs $(x, y)$ with $x + y = 5$.\n"), &problems[2]);
  EXPECT_EQ(found("Find the number of pairs $(x,y)$ with $x+y=5$"), nullptr) << "two are much like it";
  EXPECT_EQ(found("How many primes are below 100?"), nullptr);
}

TEST(reflections, thoughts_with_a_negative_or_verify_word) {
  const ReflectionWords words = ReflectionWords::of(Json::object());
  const Thoughts thoughts = count_thoughts("First.\n\nWait, no.\n\n \n\nLet me CHECK.\n\nDone.", words);
  EXPECT_EQ(thoughts.all, 4u);
  EXPECT_EQ(thoughts.reflective, 2u);
  const ReflectionWords own = ReflectionWords::of(
      {{"TARGET_VALIDATION_KEYWORDS", {{"negative", {"no"}}, {"verify", Json::array()}}}, {"TRIGGER_TOKENS", {"."}}});
  EXPECT_EQ(count_thoughts("First.\n\nWait, no.Done", own).reflective, 1u);
}

TEST(reflections, tokens_before) {
  std::map<std::string, std::size_t> counts;
  const ReflectionWords words = ReflectionWords::of(Json::object());
  count_tokens_before("Yes.\n\nWait, it is 7. Wait. But wait! Awaiting\nwait", words, counts);
  const std::map<std::string, std::size_t> expected{{".\n\n", 1}, {".", 1}, {" But", 1}, {"\n", 1}};
  EXPECT_EQ(counts, expected);
}

// The reference figures of the original's recorded runs: 25 and 23 of 25 right.
TEST(report_data, recorded_files) {
  const auto folder = shared_data() / "seed_runs";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared data in " << shared_data();
  std::vector<ResultSeries> series = read_series(folder / "large_model_benchmark_20260105_135500.json");
  for (ResultSeries& one : read_series(folder / "speculative_thinking_benchmark_20260105_152011.json")) {
    series.push_back(std::move(one));
  }
  EXPECT_TRUE(lacks_answers(series));
  const Task task = load_task("configs/tasks/aime25.yml");
  EXPECT_EQ(judge_series(series, task, load_problems(task, shared_data(), 30), Judge()), 50u);
  EXPECT_FALSE(lacks_answers(series));
  const ReportPage page = make_report(std::move(series), TextChoice{});
  EXPECT_TRUE(cell(page, "summary", 0, "right (%)").starts_with("100.0 [56.6"));
  EXPECT_TRUE(cell(page, "summary", 1, "right (%)").starts_with("92.0 ["));
  EXPECT_EQ(cell(page, "comparison", 0, "speed-up"), "2.21x");
  EXPECT_LE(html_page(page).html.size(), kMaxPageBytes);
}

}  // namespace
}  // namespace specthink
