#include "specthink/evaluation/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "specthink/report/table.h"

namespace specthink::inline evaluation {
namespace {

struct Section {
  std::string_view title;
  Statistics ModeSummary::*statistics;
  int decimals;
  double scale = 1;
};

constexpr Section kSections[] = {
    {"Latency (s)", &ModeSummary::latency, 2},
    {"Throughput (tokens/s)", &ModeSummary::throughput, 2},
    {"Tokens", &ModeSummary::tokens, 0},
    {"Target share (nominal, %)", &ModeSummary::large_model_ratio, 1, 100},
};

struct Figure {
  std::string_view name;
  double Statistics::*value;
};

constexpr Figure kFigures[] = {
    {"mean", &Statistics::mean}, {"median", &Statistics::median}, {"std", &Statistics::std},
    {"min", &Statistics::min},   {"max", &Statistics::max},
};

std::string_view title_of(RunMode mode) {
  if (mode == RunMode::large) return "target alone";
  if (mode == RunMode::large_spec) return "target, tokens ahead";
  return mode == RunMode::spec ? "speculative" : "draft alone";
}

// Nothing can be compared with a base that is printed as zero.
std::string format_ratio(double value, double base, const Section& section) {
  const bool is_zero = std::abs(base * section.scale) < 0.5 * std::pow(10.0, -section.decimals);
  return is_zero ? "-" : fmt::format("{:.2f}x", value / base);
}

// The last column compares the second mode with the first; with one mode or three there is nothing like it.
bool has_ratio(std::span<const ModeSummary> modes) { return modes.size() == 2; }

std::vector<std::string> column_titles(std::span<const ModeSummary> modes) {
  std::vector<std::string> titles{""};
  for (const ModeSummary& mode : modes) titles.emplace_back(title_of(mode.mode));
  return titles;
}

std::string statistics_text(std::span<const ModeSummary> modes) {
  std::vector<std::string> titles = column_titles(modes);
  if (has_ratio(modes)) titles.emplace_back("ratio");
  Table table(std::move(titles));
  for (const Section& section : kSections) {
    table.add_section(std::string(section.title));
    for (const Figure& figure : kFigures) {
      const auto value = [&](const ModeSummary& mode) { return mode.*section.statistics.*figure.value; };
      std::vector<std::string> cells{std::string(figure.name)};
      for (const ModeSummary& mode : modes) {
        cells.push_back(fmt::format("{:.{}f}", value(mode) * section.scale, section.decimals));
      }
      if (has_ratio(modes)) cells.push_back(format_ratio(value(modes[1]), value(modes[0]), section));
      table.add_row(std::move(cells));
    }
  }
  return table.to_string();
}

std::string percent_with_interval(const Proportion& share) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * share.mean, 100 * share.low, 100 * share.high);
}

void add_accuracy(Table& table, std::span<const ModeSummary> modes) {
  const auto known = std::find_if(modes.begin(), modes.end(), [](const ModeSummary& mode) { return mode.accuracy; });
  if (known == modes.end()) return;
  const auto add_row = [&](std::string name, auto cell) {
    std::vector<std::string> cells{std::move(name)};
    for (const ModeSummary& mode : modes) cells.push_back(mode.accuracy ? cell(mode) : "-");
    table.add_row(std::move(cells));
  };
  table.add_section("Accuracy (%)");
  add_row("right, 95 % interval by problem",
          [](const ModeSummary& mode) { return percent_with_interval(*mode.accuracy); });
  for (std::size_t i = 1; i < known->accuracy_at_k.size(); ++i) {
    const auto add_at_k = [&](const char* name, Proportion ProportionAtK::*share) {
      add_row(fmt::format("{}@{}", name, known->accuracy_at_k[i].k), [&](const ModeSummary& mode) {
        return i < mode.accuracy_at_k.size() ? percent_with_interval(mode.accuracy_at_k[i].*share) : std::string("-");
      });
    };
    add_at_k("pass", &ProportionAtK::pass);
    add_at_k("maj", &ProportionAtK::majority);
  }
  add_row("problems", [](const ModeSummary& mode) { return std::to_string(mode.accuracy->problems); });
  add_row("runs", [](const ModeSummary& mode) { return std::to_string(mode.accuracy->n); });
}

void add_ledger(Table& table, std::span<const ModeSummary> modes) {
  const auto add_row = [&](std::string name, auto cell) {
    std::vector<std::string> cells{std::move(name)};
    for (const ModeSummary& mode : modes) cells.push_back(cell(mode));
    table.add_row(std::move(cells));
  };
  const auto per_run = [](std::int64_t Ledger::*count) {
    return [count](const ModeSummary& mode) { return fmt::format("{:.1f}", mode.per_run(mode.ledger.*count)); };
  };
  table.add_section("Work (mean of a run)");
  add_row("target share, real (%)",
          [](const ModeSummary& mode) { return fmt::format("{:.1f}", 100 * mode.target_share.mean); });
  add_row("target share, nominal (%)",
          [](const ModeSummary& mode) { return fmt::format("{:.1f}", 100 * mode.large_model_ratio.mean); });
  add_row("takeovers", [](const ModeSummary& mode) {
    return mode.mode == RunMode::spec ? fmt::format("{:.1f}", mode.takeovers.mean) : "-";
  });
  add_row("takeovers, least of a run", [](const ModeSummary& mode) {
    return mode.mode == RunMode::spec ? fmt::format("{:.0f}", mode.takeovers.min) : "-";
  });
  add_row("tokens written by the draft", per_run(&Ledger::draft));
  add_row("tokens written by the target", per_run(&Ledger::target));
  add_row("tokens injected", per_run(&Ledger::injected));
  add_row("wasted steps of the draft", per_run(&Ledger::draft_wasted));
  add_row("wasted steps of the target", per_run(&Ledger::target_wasted));
  const auto kept = [](ProposalCounts Ledger::*counts) {
    return [counts](const ModeSummary& mode) {
      const ProposalCounts& proposals = mode.ledger.*counts;
      if (proposals.num_proposed() == 0) return std::string("-");
      return fmt::format("{} of {}", proposals.num_accepted(), proposals.num_proposed());
    };
  };
  add_row("proposals of n-grams kept, all runs", kept(&Ledger::ngram));
  add_row("proposals of the draft kept, all runs", kept(&Ledger::draft_model));
  add_row("tokens the draft caught up", per_run(&Ledger::draft_prefilled));
  add_row("tokens the target caught up", per_run(&Ledger::target_prefilled));
}

std::string comparison_text(const ModeSummary& large, const ModeSummary& spec) {
  const Comparison comparison = compare(large, spec);
  std::string text = fmt::format(
      "\nOverall speed-up:            {:.2f}x\n"
      "Throughput improvement:      {:.2f}x\n"
      "Reduction of target tokens:  {:.1f} % (nominal), {:.1f} % (decoded, rejected answers included)\n",
      comparison.speedup, comparison.throughput_improvement, 100 * comparison.large_model_reduction,
      100 * comparison.target_work_reduction);
  if (comparison.accuracy) {
    const PairedDifference& difference = *comparison.accuracy;
    text += fmt::format("Accuracy, difference:        {:+.1f} points [{:+.1f}, {:+.1f}], p = {:.2g} ({})\n",
                        100 * difference.mean, 100 * difference.low, 100 * difference.high, difference.p_value,
                        difference.is_mcnemar ? "McNemar, exact" : "signs of the problems' differences flipped");
  }
  return text;
}

}  // namespace

std::string summary_text(std::span<const ModeSummary> modes) {
  std::string text = statistics_text(modes);

  const ModeSummary* large = nullptr;
  const ModeSummary* spec = nullptr;
  const ModeSummary* ahead = nullptr;  // the target alone with token-level speculation
  for (const ModeSummary& mode : modes) {
    if (mode.mode == RunMode::large) large = &mode;
    if (mode.mode == RunMode::spec) spec = &mode;
    if (mode.mode == RunMode::large_spec) ahead = &mode;
  }
  if (large && spec) text += comparison_text(*large, *spec);
  if (large && ahead && spec) {
    text += fmt::format(
        "Of the speed-up:             {:.2f}x by several tokens a step in the target alone, {:.2f}x by thinking "
        "beyond it\n",
        compare(*large, *ahead).speedup, compare(*ahead, *spec).speedup);
  }

  Table work(column_titles(modes));
  add_accuracy(work, modes);
  add_ledger(work, modes);
  return text + "\n" + work.to_string();
}

}  // namespace specthink::inline evaluation
