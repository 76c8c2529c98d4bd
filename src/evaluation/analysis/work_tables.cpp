// Who wrote how much, and what it costs.
#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <regex>

#include "evaluation/analysis/sections.h"

namespace specthink::inline evaluation {
namespace {

struct Parameters {
  double count = 0;
  bool is_nominal = false;  // from the model's name
};

std::optional<Parameters> parameters_of(const ResultSeries& series, const char* role, const char* model_key) {
  const Json known = series.settings.value("parameters", Json::object());
  if (known.is_object() && known.contains(role) && known[role].is_number()) {
    return Parameters{known[role].get<double>(), false};
  }
  const Json name = series.settings.value(model_key, Json());
  if (!name.is_string()) return std::nullopt;
  static const std::regex kBillions("(?:^|[^0-9.])([0-9]{1,4}(?:\\.[0-9]{1,3})?)[Bb](?![A-Za-z])");
  std::smatch match;
  const std::string text = name.get<std::string>().substr(0, 1000);
  if (!std::regex_search(text, match, kBillions)) return std::nullopt;
  return Parameters{std::atof(match[1].str().c_str()) * 1e9, true};
}

// Mean tokens of a run that a model processed; an unknown prefill is left empty.
struct Processed {
  std::optional<double> prefill;
  double decode = 0;
};

struct Work {
  Processed target;
  Processed draft;
};

Work work_of(const ResultSeries& series, const SeriesFigures& figures) {
  Work work;
  if (figures.ledger) {
    const Ledger& ledger = *figures.ledger;
    const auto mean = [&](std::int64_t sum) {
      return static_cast<double>(sum) / static_cast<double>(series.runs.size());
    };
    work.target = {mean(ledger.target_prefilled), mean(ledger.target + ledger.target_wasted)};
    work.draft = {mean(ledger.draft_prefilled), mean(ledger.draft + ledger.draft_wasted)};
  } else {
    work.target.decode = figures.target_tokens ? figures.target_tokens->statistics.mean : 0;
    work.draft.decode = figures.tokens.statistics.mean - work.target.decode;
  }
  return work;
}

std::string teraflops(double parameters, double tokens) { return format_number(2 * parameters * tokens / 1e12); }

std::string mean_of(const ResultSeries& series, std::optional<std::int64_t> SeriesRun::*count) {
  double sum = 0;
  std::size_t runs = 0;
  for (const SeriesRun& run : series.runs) {
    if (!(run.*count)) continue;
    sum += static_cast<double>(*(run.*count));
    ++runs;
  }
  return runs == 0 ? "-" : format_number(sum / static_cast<double>(runs));
}

}  // namespace

ReportTable tokens_table(const Analysis& analysis) {
  ReportTable table{.id = "tokens",
                    .title = "Tokens by model, corrections and accuracy by temperature",
                    .note =
                        "Means of a run. Passages: takeovers and answers of the target that stayed in the text; "
                        "asked: decisions in which it was asked. Without a ledger, tokens of the target are nominal.",
                    .columns = {"system", "temperature", "right (%)", "tokens", "target", "draft", "injected",
                                "wasted, target", "wasted, draft", "passages", "asked"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    const SeriesFigures& figures = analysis.figures[i];
    const auto counted = [&](std::int64_t Ledger::*count) -> std::string {
      if (!figures.ledger) return "-";
      return format_number(static_cast<double>((*figures.ledger).*count) / static_cast<double>(series.runs.size()));
    };
    std::string target = counted(&Ledger::target);
    std::string draft = counted(&Ledger::draft);
    if (!figures.ledger && figures.target_tokens) {
      target = format_number(figures.target_tokens->statistics.mean);
      draft = format_number(figures.tokens.statistics.mean - figures.target_tokens->statistics.mean);
    }
    table.rows.push_back({analysis.names[i], series.temperature ? fmt::format("{}", *series.temperature) : "-",
                          figures.accuracy ? format_percent(*figures.accuracy) : "-",
                          format_number(figures.tokens.statistics.mean), target, draft, counted(&Ledger::injected),
                          counted(&Ledger::target_wasted), counted(&Ledger::draft_wasted),
                          mean_of(series, &SeriesRun::takeovers), mean_of(series, &SeriesRun::validations)});
  }
  return table;
}

ReportTable flops_table(const Analysis& analysis) {
  ReportTable table{.id = "flops",
                    .title = "Floating-point operations",
                    .note =
                        "2 x parameters x tokens that the model processed, in TFLOP a run; attention over the "
                        "context is not in it. ~: parameters as the model's name says; a dash: not known.",
                    .columns = {"system", "parameters, target", "parameters, draft", "target prefill", "target decode",
                                "draft prefill", "draft decode", "sum"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    if (series.kind == SystemKind::draft && !analysis.figures[i].ledger) continue;
    const auto target = parameters_of(series, "target", "target_model");
    const auto draft = parameters_of(series, "draft", "speculative_model");
    const Work work = work_of(series, analysis.figures[i]);
    const auto name = [](const std::optional<Parameters>& parameters) -> std::string {
      if (!parameters) return "-";
      return (parameters->is_nominal ? "~" : "") + format_number(parameters->count / 1e9) + " B";
    };
    double sum = 0;
    bool complete = true;
    const auto cell = [&](const std::optional<Parameters>& parameters,
                          const std::optional<double>& tokens) -> std::string {
      if (tokens && *tokens == 0) return "0";
      if (!parameters || !tokens) {
        complete = complete && !parameters && !tokens;
        return "-";
      }
      sum += 2 * parameters->count * *tokens / 1e12;
      return teraflops(parameters->count, *tokens);
    };
    std::vector<std::string> row{analysis.names[i], name(target), name(draft)};
    row.push_back(cell(target, work.target.prefill));
    row.push_back(cell(target, work.target.decode));
    row.push_back(cell(draft, work.draft.prefill));
    row.push_back(cell(draft, work.draft.decode));
    row.push_back(sum == 0 ? "-" : (complete ? "" : "at least ") + format_number(sum));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace specthink::inline evaluation
