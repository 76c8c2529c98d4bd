// What the texts show: reflections and lengths.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "evaluation/analysis/reflections.h"
#include "evaluation/analysis/sections.h"
#include "specthink/base/json.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMostFrequent = 10;

struct Group {
  const char* name;
  bool (*holds)(const SeriesRun& run);
};

constexpr std::array<Group, 3> kGroups{{
    {"right", [](const SeriesRun& run) { return run.correct.value_or(false); }},
    {"wrong", [](const SeriesRun& run) { return !run.correct.value_or(true); }},
    {"not judged", [](const SeriesRun& run) { return !run.correct.has_value(); }},
}};

bool has_text(const ResultSeries& series) {
  return std::any_of(series.runs.begin(), series.runs.end(), [](const SeriesRun& run) { return !run.text.empty(); });
}

}  // namespace

ReportTable reflection_table(const Analysis& analysis) {
  ReportTable table{.id = "reflections",
                    .title = "Reflective thoughts",
                    .note =
                        "Thoughts end at a trigger (a blank line); one is reflective when it has a negative or a "
                        "verify word of the schedule.",
                    .columns = {"system", "answers", "runs", "thoughts a run", "reflective a run", "share (%)"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    if (!has_text(series)) continue;
    const ReflectionWords words = ReflectionWords::of(series.settings);
    for (const Group& group : kGroups) {
      std::size_t runs = 0;
      Thoughts sum;
      for (const SeriesRun& run : series.runs) {
        if (!group.holds(run)) continue;
        ++runs;
        const Thoughts thoughts = count_thoughts(answer_part(run.text), words);
        sum.all += thoughts.all;
        sum.reflective += thoughts.reflective;
      }
      if (runs == 0) continue;
      const auto mean = [&](std::size_t count) {
        return format_number(static_cast<double>(count) / static_cast<double>(runs));
      };
      const double share = sum.all == 0 ? 0 : static_cast<double>(sum.reflective) / static_cast<double>(sum.all);
      table.rows.push_back({analysis.names[i], group.name, std::to_string(runs), mean(sum.all), mean(sum.reflective),
                            fmt::format("{:.1f}", 100 * share)});
    }
  }
  return table;
}

ReportTable lengths_table(const Analysis& analysis) {
  ReportTable table{.id = "lengths",
                    .title = "Lengths of right and wrong answers",
                    .note = "Generated tokens.",
                    .columns = {"system", "answers", "runs", "mean", "median", "std", "min", "max"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    for (const Group& group : kGroups) {
      std::vector<double> tokens;
      for (const SeriesRun& run : analysis.series[i].runs) {
        if (group.holds(run)) tokens.push_back(static_cast<double>(run.tokens));
      }
      if (tokens.empty()) continue;
      const Statistics figures = summarize(tokens);
      table.rows.push_back({analysis.names[i], group.name, std::to_string(tokens.size()), format_number(figures.mean),
                            format_number(figures.median), format_number(figures.std), format_number(figures.min),
                            format_number(figures.max)});
    }
  }
  return table;
}

ReportTable tokens_before_table(const Analysis& analysis) {
  ReportTable table{.id = "tokens_before",
                    .title = "The ten most frequent tokens before a reflection",
                    .note =
                        "Right before a negative or verify word, cut as the models' pre-tokenizers cut: a word with "
                        "its blank, punctuation with the line ends behind it.",
                    .columns = {"system", "rank", "token", "times", "share (%)"},
                    .rows = {}};
  for (std::size_t i = 0; i < analysis.series.size(); ++i) {
    const ResultSeries& series = analysis.series[i];
    const ReflectionWords words = ReflectionWords::of(series.settings);
    std::map<std::string, std::size_t> counts;
    for (const SeriesRun& run : series.runs) count_tokens_before(answer_part(run.text), words, counts);
    std::size_t total = 0;
    std::vector<std::pair<std::string, std::size_t>> order;
    for (const auto& [token, count] : counts) {
      total += count;
      order.emplace_back(token, count);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (std::size_t rank = 0; rank < std::min(order.size(), kMostFrequent); ++rank) {
      const auto& [token, count] = order[rank];
      const std::string shown =
          token.empty() ? "(beginning)" : Json(token).dump(-1, ' ', false, Json::error_handler_t::replace);
      table.rows.push_back({analysis.names[i], std::to_string(rank + 1), shown, std::to_string(count),
                            fmt::format("{:.1f}", 100 * static_cast<double>(count) / static_cast<double>(total))});
    }
  }
  return table;
}

}  // namespace specthink::inline evaluation
