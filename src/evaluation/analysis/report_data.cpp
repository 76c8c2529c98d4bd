#include "specthink/evaluation/report_data.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "evaluation/analysis/run_data.h"
#include "evaluation/analysis/same_problem.h"
#include "evaluation/analysis/same_task.h"
#include "evaluation/analysis/sections.h"
#include "evaluation/blanks.h"
#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

std::size_t parse_number(const std::string& text, const std::string& whole) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw UserError(
        "--texts: expected auto, none, all, or a list such as 0,3/1 (problem, or problem/run, counted from 0), found "
        "'{}'",
        whole);
  }
  return std::stoul(text);
}

// What tells the system from others: its name, then temperature and file where the name does not do.
std::vector<std::string> distinct_names(const std::vector<ResultSeries>& series,
                                        const std::vector<std::string>& tasks) {
  std::vector<std::string> names;
  for (const ResultSeries& one : series) names.push_back(one.name);
  const auto add_where_equal = [&](auto detail) {
    std::map<std::string, int> uses;
    for (const std::string& name : names) ++uses[name];
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string more = detail(i);
      if (uses[names[i]] > 1 && !more.empty()) names[i] += ", " + more;
    }
  };
  add_where_equal([&](std::size_t i) { return tasks[i]; });
  add_where_equal([&](std::size_t i) {
    return series[i].temperature ? fmt::format("T={}", *series[i].temperature) : std::string();
  });
  add_where_equal([&](std::size_t i) { return series[i].source.filename().string(); });
  add_where_equal([&](std::size_t i) { return std::to_string(i + 1); });
  return names;
}

void place_problems(Analysis& analysis) {
  std::map<std::string, std::size_t> known;
  for (const ResultSeries& series : analysis.series) {
    std::vector<std::size_t>& place = analysis.place.emplace_back();
    for (const SeriesProblem& problem : series.problems) {
      // Files of other programs and commands call a task otherwise: a problem is known by its text.
      const std::string key =
          problem.text.empty() ? series.task + "\n" + excerpt(problem.id) : "\n" + std::string(trim(problem.text));
      const auto [found, is_new] = known.emplace(key, analysis.problems.size());
      if (is_new) analysis.problems.push_back(problem);
      if (!analysis.problems[found->second].answer) analysis.problems[found->second].answer = problem.answer;
      place.push_back(found->second);
    }
  }
}

// Columns that no file says anything of.
void drop_unknown_columns(ReportTable& table) {
  for (std::size_t column = table.columns.size(); column-- > 1;) {
    const bool unknown = std::all_of(table.rows.begin(), table.rows.end(),
                                     [&](const std::vector<std::string>& row) { return row[column] == "-"; });
    if (!unknown) continue;
    const auto at = static_cast<std::ptrdiff_t>(column);
    table.columns.erase(table.columns.begin() + at);
    for (std::vector<std::string>& row : table.rows) row.erase(row.begin() + at);
  }
}

std::string describe_files(const std::vector<ResultSeries>& series) {
  std::vector<std::string> files;
  std::size_t runs = 0;
  for (const ResultSeries& one : series) {
    const std::string name = one.source.filename().string();
    if (std::find(files.begin(), files.end(), name) == files.end()) files.push_back(name);
    runs += one.runs.size();
  }
  return fmt::format("{} {} of {}", runs, runs == 1 ? "run" : "runs", fmt::join(files, ", "));
}

}  // namespace

TextChoice TextChoice::parse(const std::string& text) {
  TextChoice choice;
  if (text == "auto") return choice;
  if (text == "none" || text == "all") {
    choice.kind = text == "none" ? Kind::none : Kind::all;
    return choice;
  }
  choice.kind = Kind::named;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const std::size_t slash = item.find('/');
    Name& name = choice.names.emplace_back();
    name.problem = parse_number(item.substr(0, slash), text);
    if (slash != std::string::npos) name.run = parse_number(item.substr(slash + 1), text);
    begin = end + 1;
  }
  return choice;
}

bool TextChoice::wants(std::size_t problem, std::size_t run) const {
  if (kind != Kind::named) return kind != Kind::none;
  return std::any_of(names.begin(), names.end(),
                     [&](const Name& name) { return name.problem == problem && (!name.run || *name.run == run); });
}

bool lacks_answers(const std::vector<ResultSeries>& series) {
  return std::any_of(series.begin(), series.end(), [](const ResultSeries& one) {
    return std::any_of(one.runs.begin(), one.runs.end(), [&](const SeriesRun& run) {
      return !run.correct && !run.text.empty() && !one.problems.at(run.problem).answer;
    });
  });
}

std::size_t judge_series(std::vector<ResultSeries>& series, const Task& task, const std::vector<Problem>& problems,
                         const Judge& judge) {
  std::size_t judged = 0;
  for (ResultSeries& one : series) {
    std::vector<const Problem*> known;
    for (const SeriesProblem& problem : one.problems) known.push_back(find_same_problem(problem.text, problems));
    for (SeriesRun& run : one.runs) {
      SeriesProblem& problem = one.problems.at(run.problem);
      const Problem* same = known.at(run.problem);
      if (run.correct || run.text.empty() || !same) continue;
      RunRecord record;
      record.generated_text = run.text;
      judge.record(record, *same, task.answer_rule);
      if (!record.correct) continue;
      problem.answer = same->answer;
      run.answer = record.answer;
      run.correct = record.correct;
      ++judged;
    }
  }
  return judged;
}

ReportPage make_report(std::vector<ResultSeries> series, const TextChoice& texts) {
  Analysis analysis;
  analysis.series = std::move(series);
  place_problems(analysis);
  analysis.tasks = task_names(analysis.series, analysis.place);
  analysis.names = distinct_names(analysis.series, analysis.tasks);
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    analysis.figures.push_back(figures_of(analysis.series[i], analysis.place[i]));
  }
  ReportPage page;
  page.title = "Speculative thinking: report";
  page.note = describe_files(analysis.series);
  for (ReportTable& table :
       std::vector{summary_table(analysis), comparison_table(analysis), at_k_table(analysis), tokens_table(analysis),
                   flops_table(analysis), reflection_table(analysis), lengths_table(analysis),
                   tokens_before_table(analysis), settings_table(analysis)}) {
    if (table.rows.empty()) continue;
    drop_unknown_columns(table);
    page.tables.push_back(std::move(table));
  }
  page.charts = chart_data(analysis);
  page.details = run_details(analysis, texts);
  return page;
}

}  // namespace specthink::inline evaluation
