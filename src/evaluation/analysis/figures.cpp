#include "evaluation/analysis/figures.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <set>

#include "specthink/evaluation/sample_counter.h"

namespace specthink::inline evaluation {
namespace {

using Value = std::function<std::optional<double>(const SeriesRun&)>;

std::optional<RunFigure> figure_of(const ResultSeries& series, const Value& value_of) {
  std::map<std::size_t, std::vector<double>> by_problem;
  std::vector<double> values;
  for (const SeriesRun& run : series.runs) {
    const std::optional<double> value = value_of(run);
    if (!value) continue;
    by_problem[run.problem].push_back(*value);
    values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  std::vector<double> means;
  for (const auto& [problem, of_problem] : by_problem) means.push_back(summarize(of_problem).mean);
  return RunFigure{summarize(values), mean_interval(means), values.size()};
}

std::map<std::size_t, ProblemSamples> samples_of(const ResultSeries& series, const std::vector<std::size_t>& place) {
  std::map<std::size_t, SampleCounter> counters;
  for (const SeriesRun& run : series.runs) {
    if (run.correct) counters[place.at(run.problem)].add(*run.correct, run.answer);
  }
  std::map<std::size_t, ProblemSamples> samples;
  for (const auto& [problem, counter] : counters) samples[problem] = counter.samples();
  return samples;
}

}  // namespace

SeriesFigures figures_of(const ResultSeries& series, const std::vector<std::size_t>& place) {
  SeriesFigures figures;
  std::set<std::size_t> problems;
  for (const SeriesRun& run : series.runs) problems.insert(run.problem);
  figures.problems = problems.size();
  figures.samples = samples_of(series, place);
  std::vector<ProblemSamples> samples;
  for (const auto& [problem, of_problem] : figures.samples) samples.push_back(of_problem);
  if (!samples.empty()) figures.accuracy = accuracy(samples);
  figures.at_k = accuracy_at_k(samples);
  figures.seconds = figure_of(series, [](const SeriesRun& run) { return run.seconds; });
  figures.tokens =
      figure_of(series, [](const SeriesRun& run) -> std::optional<double> { return run.tokens; }).value_or(RunFigure{});
  figures.throughput = figure_of(series, [](const SeriesRun& run) -> std::optional<double> {
    if (!run.seconds || *run.seconds <= 0) return std::nullopt;
    return static_cast<double>(run.tokens) / *run.seconds;
  });
  figures.target_tokens = figure_of(series, [](const SeriesRun& run) { return run.target_tokens(); });
  Ledger sum;
  bool complete = !series.runs.empty();
  for (const SeriesRun& run : series.runs) {
    complete = complete && run.ledger;
    if (run.ledger) sum += *run.ledger;
  }
  if (complete) figures.ledger = sum;
  return figures;
}

std::string format_number(double value) {
  const double size = std::abs(value);
  if (size >= 1000) {
    std::string digits = fmt::format("{:.0f}", size);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    return (value < 0 ? "-" : "") + digits;
  }
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

std::string format_percent(const Proportion& share) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * share.mean, 100 * share.low, 100 * share.high);
}

std::string format_figure(const std::optional<RunFigure>& figure) {
  if (!figure || figure->runs == 0) return "-";
  if (figure->interval.low == figure->interval.high) return format_number(figure->statistics.mean);
  return fmt::format("{} [{}, {}]", format_number(figure->statistics.mean), format_number(figure->interval.low),
                     format_number(figure->interval.high));
}

OrderedJson to_json(const RunFigure& figure) {
  return {{"mean", figure.statistics.mean},
          {"low", figure.interval.low},
          {"high", figure.interval.high},
          {"median", figure.statistics.median}};
}

}  // namespace specthink::inline evaluation
