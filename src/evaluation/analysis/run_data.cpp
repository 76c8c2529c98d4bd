#include "evaluation/analysis/run_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "evaluation/analysis/segment_data.h"
#include "specthink/base/strings.h"
#include "specthink/evaluation/summary.h"
#include "specthink/report/ledger.h"
#include "specthink/report/text_origins.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxExcerpt = 160;  // bytes of a problem in the table
constexpr std::size_t kMaxAnswer = 80;

std::string cut(const std::string& text, std::size_t size) {
  if (text.size() <= size) return text;
  const std::string_view start = std::string_view(text).substr(0, size);
  return std::string(start.substr(0, size - incomplete_utf8_suffix(start))) + "…";
}

const char* name_of_kind(SystemKind kind) {
  if (kind == SystemKind::target) return "target";
  return kind == SystemKind::draft ? "draft" : "speculative";
}

OrderedJson or_null(const std::optional<double>& value) {
  return value ? OrderedJson(std::round(*value * 1000) / 1000) : OrderedJson();
}

OrderedJson rows_of(const ResultSeries& series, const std::vector<std::size_t>& place) {
  OrderedJson rows{{"problem", OrderedJson::array()}, {"run", OrderedJson::array()},
                   {"seconds", OrderedJson::array()}, {"tokens", OrderedJson::array()},
                   {"target", OrderedJson::array()},  {"correct", OrderedJson::array()},
                   {"answer", OrderedJson::array()},  {"finish", OrderedJson::array()}};
  for (const SeriesRun& run : series.runs) {
    rows["problem"].push_back(place.at(run.problem));
    rows["run"].push_back(run.run);
    rows["seconds"].push_back(or_null(run.seconds));
    rows["tokens"].push_back(run.tokens);
    rows["target"].push_back(or_null(run.target_tokens()));
    rows["correct"].push_back(run.correct ? OrderedJson(*run.correct ? 1 : 0) : OrderedJson());
    rows["answer"].push_back(run.answer ? OrderedJson(cut(*run.answer, kMaxAnswer)) : OrderedJson());
    rows["finish"].push_back(run.finish_reason);
  }
  return rows;
}

OrderedJson detail_of(const ResultSeries& series, const SeriesRun& run) {
  OrderedJson pieces = OrderedJson::array();
  for (const WrittenPiece& piece : text_pieces(run, series.kind)) {
    pieces.push_back({static_cast<int>(piece.writer), piece.text});
  }
  OrderedJson passages = OrderedJson::array();
  for (const Json& entry : run.log) {
    if (!entry.is_object() || !entry.value("traget", Json()).is_string()) continue;
    const Json draft = entry.value("speculative", Json());
    passages.push_back({OrderedJson(entry.value("pos", Json())), OrderedJson(entry.value("token_num", Json())),
                        draft.is_string() ? OrderedJson(draft) : OrderedJson(), OrderedJson(entry["traget"])});
  }
  return {{"pieces", std::move(pieces)},
          {"segments", segment_data(run.segments)},
          {"passages", std::move(passages)},
          {"ledger", run.ledger ? OrderedJson(specthink::to_json(*run.ledger)) : OrderedJson()},
          {"prompt_tokens", run.prompt_tokens ? OrderedJson(*run.prompt_tokens) : OrderedJson()},
          {"validations", run.validations ? OrderedJson(*run.validations) : OrderedJson()}};
}

}  // namespace

OrderedJson chart_data(const Analysis& analysis) {
  OrderedJson problems = OrderedJson::array();
  for (const SeriesProblem& problem : analysis.problems) {
    problems.push_back({OrderedJson(problem.id), cut(problem.text, kMaxExcerpt),
                        problem.answer ? OrderedJson(cut(*problem.answer, kMaxAnswer)) : OrderedJson()});
  }
  OrderedJson systems = OrderedJson::array();
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    const SeriesFigures& figures = analysis.figures[i];
    const auto figure = [](const std::optional<RunFigure>& value) { return value ? to_json(*value) : OrderedJson(); };
    systems.push_back({{"name", analysis.names[i]},
                       {"task", analysis.tasks[i]},
                       {"kind", name_of_kind(series.kind)},
                       {"accuracy", figures.accuracy ? to_json(*figures.accuracy) : OrderedJson()},
                       {"seconds", figure(figures.seconds)},
                       {"target", figure(figures.target_tokens)},
                       {"target_is_nominal", !figures.ledger.has_value()},
                       {"rows", rows_of(series, analysis.place[i])}});
  }
  return {{"problems", std::move(problems)}, {"systems", std::move(systems)}};
}

std::vector<OrderedJson> run_details(const Analysis& analysis, const TextChoice& texts) {
  using Place = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>;  // round, problem, system, row
  std::vector<Place> places;
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    std::map<std::size_t, std::size_t> seen;  // runs of a problem so far
    for (std::size_t row = 0; row < analysis.series[i].runs.size(); ++row) {
      const SeriesRun& run = analysis.series[i].runs[row];
      const std::size_t problem = analysis.place[i].at(run.problem);
      if (!texts.wants(problem, run.run) || run.text.empty()) continue;
      places.emplace_back(seen[problem]++, problem, i, row);
    }
  }
  std::sort(places.begin(), places.end());
  std::vector<OrderedJson> details;
  for (const auto& [round, problem, system, row] : places) {
    OrderedJson detail{{"system", system}, {"row", row}};
    detail.update(detail_of(analysis.series[system], analysis.series[system].runs[row]));
    details.push_back(std::move(detail));
  }
  return details;
}

}  // namespace specthink::inline evaluation
