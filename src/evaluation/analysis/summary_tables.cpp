// Summary, comparison and settings.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "evaluation/analysis/sections.h"
#include "specthink/evaluation/summary.h"

namespace specthink::inline evaluation {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

std::string format_ratio(const std::optional<RunFigure>& a, const std::optional<RunFigure>& b) {
  if (!a || !b || b->statistics.mean <= 0) return "-";
  return fmt::format("{:.2f}x", ratio(a->statistics.mean, b->statistics.mean));
}

std::string target_share(const SeriesFigures& figures) {
  if (!figures.target_tokens || figures.tokens.statistics.mean <= 0) return "-";
  const double share = ratio(figures.target_tokens->statistics.mean, figures.tokens.statistics.mean);
  return fmt::format("{:.1f}{}", 100 * share, figures.ledger ? "" : " (nominal)");
}

// Only what both systems have done may be compared.
SeriesFigures figures_on(const Analysis& analysis, std::size_t i, const std::set<std::size_t>& problems) {
  ResultSeries part;
  for (const SeriesRun& run : analysis.series[i].runs) {
    if (!problems.contains(analysis.place[i].at(run.problem))) continue;
    SeriesRun& numbers = part.runs.emplace_back();  // without texts
    numbers.problem = run.problem;
    numbers.seconds = run.seconds;
    numbers.tokens = run.tokens;
    numbers.nominal_target_tokens = run.nominal_target_tokens;
    numbers.ledger = run.ledger;
  }
  return figures_of(part, analysis.place[i]);
}

std::set<std::size_t> problems_of(const Analysis& analysis, std::size_t i) {
  std::set<std::size_t> problems;
  for (const SeriesRun& run : analysis.series[i].runs) problems.insert(analysis.place[i].at(run.problem));
  return problems;
}

std::optional<std::vector<std::string>> compare_row(const Analysis& analysis, std::size_t base, std::size_t other) {
  const std::set<std::size_t> mine = problems_of(analysis, base);
  std::set<std::size_t> shared;
  for (const std::size_t problem : problems_of(analysis, other)) {
    if (mine.contains(problem)) shared.insert(problem);
  }
  if (shared.empty()) return std::nullopt;
  const SeriesFigures a = figures_on(analysis, base, shared);
  const SeriesFigures b = figures_on(analysis, other, shared);
  std::string saved = "-";
  if (a.target_tokens && b.target_tokens && a.target_tokens->statistics.mean > 0) {
    saved = fmt::format("{:.1f}", 100 * (1 - b.target_tokens->statistics.mean / a.target_tokens->statistics.mean));
  }
  std::vector<std::string> row{analysis.names[other],
                               analysis.names[base],
                               std::to_string(shared.size()),
                               format_ratio(a.seconds, b.seconds),
                               format_ratio(b.throughput, a.throughput),
                               saved};
  const auto difference = compare_accuracy(analysis.figures[base].samples, analysis.figures[other].samples);
  if (difference) {
    row.push_back(fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", 100 * difference->mean, 100 * difference->low,
                              100 * difference->high));
    row.push_back(fmt::format("{:.2g} ({})", difference->p_value, difference->is_mcnemar ? "McNemar" : "sign flips"));
  } else {
    row.insert(row.end(), {"-", "-"});
  }
  return row;
}

/// A number for each series: those that have problems in common have the same.
std::vector<std::size_t> problem_sets(const Analysis& analysis) {
  std::vector<std::size_t> sets;
  std::map<std::size_t, std::size_t> first_with;  // problem to the first series that has it
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    std::size_t set = i;
    for (const std::size_t problem : analysis.place[i]) {
      const auto [known, is_new] = first_with.emplace(problem, i);
      if (!is_new && known->second < i) set = std::min(set, sets[known->second]);
    }
    sets.push_back(set);
  }
  return sets;
}

/// What a series is compared with: of those on its problems at its temperature the first that is the target alone, else
/// the first; where it is the only one at its temperature, of all on its problems.
std::size_t base_of(const Analysis& analysis, const std::vector<std::size_t>& sets, std::size_t series) {
  const auto base_among = [&](bool any_temperature) {
    std::size_t base = series;
    bool is_found = false;
    for (std::size_t i = 0; i < analysis.series.size(); ++i) {
      const ResultSeries& other = analysis.series[i];
      if (sets[i] != sets[series]) continue;
      if (!any_temperature && other.temperature != analysis.series[series].temperature) continue;
      const bool is_target = other.kind == SystemKind::target;
      if (is_found && (!is_target || analysis.series[base].kind == SystemKind::target)) continue;
      base = i;
      is_found = true;
    }
    return base;
  };
  const auto at_its_temperature = std::ranges::count_if(analysis.series, [&](const ResultSeries& other) {
    const auto i = static_cast<std::size_t>(&other - analysis.series.data());
    return sets[i] == sets[series] && other.temperature == analysis.series[series].temperature;
  });
  return base_among(/*any_temperature=*/at_its_temperature == 1);
}

void collect_settings(const Json& settings, const std::string& prefix, std::map<std::string, std::string>& values) {
  for (const auto& [key, value] : settings.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      collect_settings(value, name, values);
    } else {
      values[name] =
          value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
  }
}

}  // namespace

ReportTable summary_table(const Analysis& analysis) {
  ReportTable table{.id = "summary",
                    .title = "Summary",
                    .note =
                        "Means over runs with 95 % intervals over problems: runs of one problem are not independent "
                        "of each other. pass@n and maj@n: at least one of n runs, or the answer that most of them "
                        "have, is right.",
                    .columns = {"system", "task", "temperature", "problems", "runs", "right (%)", "pass@n (%)",
                                "maj@n (%)", "time (s)", "tokens", "tokens/s", "target tokens", "target share (%)"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    const SeriesFigures& figures = analysis.figures[i];
    const bool repeated = figures.at_k.size() > 1;
    table.rows.push_back({analysis.names[i], analysis.tasks[i].empty() ? "-" : analysis.tasks[i],
                          series.temperature ? fmt::format("{}", *series.temperature) : "-",
                          std::to_string(figures.problems), std::to_string(series.runs.size()),
                          figures.accuracy ? format_percent(*figures.accuracy) : "-",
                          repeated ? format_percent(figures.at_k.back().pass) : "-",
                          repeated ? format_percent(figures.at_k.back().majority) : "-", format_figure(figures.seconds),
                          format_figure(figures.tokens), format_figure(figures.throughput),
                          format_figure(figures.target_tokens), target_share(figures)});
  }
  return table;
}

ReportTable comparison_table(const Analysis& analysis) {
  ReportTable table{.id = "comparison",
                    .title = "Comparison on the same problems",
                    .note =
                        "Accuracy is compared problem by problem. p: probability of a difference as large if both "
                        "systems were right equally often; the exact test of McNemar for one run a problem, else "
                        "every pattern of signs of the problems' differences.",
                    .columns = {"system", "against", "problems", "speed-up", "tokens/s", "target tokens saved (%)",
                                "accuracy, points", "p"},
                    .rows = {}};
  const std::vector<std::size_t> sets = problem_sets(analysis);
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const std::size_t base = base_of(analysis, sets, i);
    if (i == base) continue;
    if (auto row = compare_row(analysis, base, i)) table.rows.push_back(std::move(*row));
  }
  return table;
}

ReportTable at_k_table(const Analysis& analysis) {
  ReportTable table{.id = "at_k",
                    .title = "",
                    .note = "Accuracy by the number of runs (k) that are drawn of a problem's runs.",
                    .columns = {"system", "k", "pass@k (%)", "maj@k (%)"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    if (analysis.figures[i].at_k.size() < 2) continue;
    for (const ProportionAtK& at : analysis.figures[i].at_k) {
      table.rows.push_back(
          {analysis.names[i], std::to_string(at.k), format_percent(at.pass), format_percent(at.majority)});
    }
  }
  return table;
}

ReportTable settings_table(const Analysis& analysis) {
  ReportTable table{.id = "settings",
                    .title = "Settings and machine",
                    .note = "As the result files have them; a dash: the file does not say.",
                    .columns = {"setting"},
                    .rows = {}};
  std::vector<std::map<std::string, std::string>> values;
  std::set<std::string> keys;
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    table.columns.push_back(analysis.names[i]);
    std::map<std::string, std::string>& of_series = values.emplace_back();
    of_series["file"] = analysis.series[i].source.filename().string();
    if (!analysis.series[i].timestamp.empty()) of_series["timestamp"] = analysis.series[i].timestamp;
    collect_settings(analysis.series[i].settings, "", of_series);
    for (const auto& [key, value] : of_series) keys.insert(key);
  }
  for (const std::string& key : keys) {
    std::vector<std::string> row{key};
    for (const auto& of_series : values) {
      const auto found = of_series.find(key);
      row.push_back(found == of_series.end() ? "-" : found->second);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace specthink::inline evaluation
