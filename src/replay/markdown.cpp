// The Markdown of a replay.
#include <fmt/format.h>

#include "replay/figures.h"
#include "specthink/base/strings.h"
#include "specthink/replay/workload.h"
#include "specthink/report/table.h"

namespace specthink::inline replay {
namespace {

using Row = std::vector<std::string>;

std::string number(double value, int decimals) { return fmt::format("{:.{}f}", value, decimals); }
std::string number(const std::optional<double>& value, int decimals) { return value ? number(*value, decimals) : "-"; }
std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

/// In powers of ten, as read bandwidths are given.
std::string decimal_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes >= 100'000'000 ? fmt::format("{:.2f} GB", value / 1e9) : fmt::format("{:.1f} KB", value / 1e3);
}

std::string heading(const ReplayReport& report) {
  std::string text = fmt::format("# Replay on {} rank{}, {}\n\n- target: {}\n", report.ranks,
                                 report.ranks == 1 ? "" : "s", report.device, report.target);
  if (report.draft) text += fmt::format("- draft: {}\n", *report.draft);
  text += fmt::format("- read bandwidth of the slowest rank: {} TB/s", number(read_limit(report) / 1e12, 3));
  if (report.read_bytes_per_second.size() > 1) {
    std::vector<std::string> rates;
    for (const double rate : report.read_bytes_per_second) rates.push_back(number(rate / 1e12, 3));
    text += fmt::format(" (by rank {})", fmt::join(rates, ", "));
  }
  text += "\n";
  for (const Role role : roles_of(report)) {
    const StepBytes& bytes = report.step_bytes[static_cast<std::size_t>(role)];
    text += fmt::format("- a step of the {} reads {} of weights and {} a token of context on each rank\n",
                        name_of(role), decimal_bytes(bytes.weights), decimal_bytes(bytes.kv_per_token));
  }
  return text;
}

std::string step_table(const ReplayReport& report) {
  if (report.steps.empty()) return "";
  Row titles{"context"};
  for (const Role role : roles_of(report)) {
    for (const char* what : {"ms", "limit ms", "share"}) titles.push_back(fmt::format("{} {}", name_of(role), what));
  }
  std::vector<Row> rows;
  for (const StepRow& step : report.steps) {
    Row row{std::to_string(step.context)};
    for (const Role role : roles_of(report)) {
      const auto& ms = step.milliseconds[static_cast<std::size_t>(role)];
      const double limit = limit_ms(report, role, static_cast<double>(step.context));
      row.push_back(number(ms, 3));
      row.push_back(number(limit, 3));
      row.push_back(ms && *ms > 0 ? percent(limit / *ms) : "-");
    }
    rows.push_back(std::move(row));
  }
  return "\n## A decode step of one row\n\nMedian of three runs, head, sampling and host included.\n\n" +
         markdown_table(titles, rows);
}

/// Of the shortest context that has one.
std::string timeline_table(const ReplayReport& report, Role role) {
  const auto index = static_cast<std::size_t>(role);
  const auto step = std::ranges::find_if(report.steps, [&](const StepRow& row) { return !row.kernels[index].empty(); });
  if (step == report.steps.end()) return "";
  std::vector<Row> rows;
  for (const KernelShare& share : step->kernels[index]) {
    rows.push_back({share.name, std::to_string(share.count), number(share.ahead, 2), number(share.waited, 2),
                    number(share.ran, 2)});
  }
  return fmt::format(
             "\n## The kernels of a step of the {}, {} tokens of context\n\nMeans in microseconds, of each kernel's "
             "first block on rank 0. Recorded: the step is slower than without.\n\n",
             name_of(role), step->context) +
         markdown_table({"kernel", "of a step", "started ahead by", "waited for the others", "ran"}, rows);
}

std::string prefill_table(const ReplayReport& report) {
  if (report.prefills.empty()) return "";
  Row titles{"new tokens", "cached"};
  for (const Role role : roles_of(report)) {
    for (const char* what : {"first token ms", "prefill ms"}) {
      titles.push_back(fmt::format("{} {}", name_of(role), what));
    }
  }
  std::vector<Row> rows;
  for (const PrefillRow& prefill : report.prefills) {
    Row row{std::to_string(prefill.new_tokens), std::to_string(prefill.cached)};
    for (const Role role : roles_of(report)) {
      const auto i = static_cast<std::size_t>(role);
      row.push_back(number(prefill.first_token_ms[i], 3));
      row.push_back(number(prefill.prefill_ms[i], 3));
    }
    rows.push_back(std::move(row));
  }
  return "\n## Prefill\n\nA request for one token, median of three; up to 16 new tokens are one step, median of 15. "
         "Where text is cached, decode steps come first.\n\n" +
         markdown_table(titles, rows);
}

Row times_row(Row row, const ReplayTimes& times, double runs) {
  row.push_back(number(static_cast<double>(times.tokens) / runs, 0));
  for (const double seconds :
       {times.seconds, times.of(Role::draft).decode().seconds, times.of(Role::target).decode().seconds,
        times.of(Role::draft).prefill_seconds, times.of(Role::target).prefill_seconds, times.hand_over_seconds(),
        times.host_seconds()}) {
    row.push_back(number(seconds / runs, 3));
  }
  for (const Role role : {Role::draft, Role::target}) {
    const DecodeTimes decode = times.of(role).decode();
    row.push_back(decode.steps > 0 ? number(decode.milliseconds_per_step(), 3) : "-");
    row.push_back(decode.steps > 0 ? percent(decode.share_of_limit()) : "-");
  }
  row.push_back(number(times.tokens_per_second(), 1));
  return row;
}

std::string context_table(const ReplayReport& report, const ReplayTimes& times) {
  Row titles{"context up to"};
  for (const Role role : roles_of(report)) {
    for (const char* what : {"steps", "ms", "share"}) titles.push_back(fmt::format("{} {}", name_of(role), what));
  }
  std::vector<Row> rows;
  for (std::size_t i = 0; i < kNumContextBuckets; ++i) {
    Row row{bucket_name(i)};
    bool any = false;
    for (const Role role : roles_of(report)) {
      const DecodeTimes& decode = times.of(role).by_context[i];
      any = any || decode.steps > 0;
      row.push_back(number(decode.steps, 0));
      row.push_back(decode.steps > 0 ? number(decode.milliseconds_per_step(), 3) : "-");
      row.push_back(decode.steps > 0 ? percent(decode.share_of_limit()) : "-");
    }
    if (any) rows.push_back(std::move(row));
  }
  return markdown_table(titles, rows);
}

std::string speculation_line(const ReplayTimes& times) {
  const auto share = [](std::int64_t accepted, std::int64_t proposed) {
    return proposed > 0 ? fmt::format("{} of {} ({})", accepted, proposed,
                                      percent(static_cast<double>(accepted) / static_cast<double>(proposed)))
                        : std::string("none");
  };
  return fmt::format(
      "\nTokens a step: draft {}, target {}. Proposals kept: of n-grams {}, of the draft {}. The draft proposed in {} "
      "steps and {} s.\n",
      number(times.tokens_per_step(Role::draft), 2), number(times.tokens_per_step(Role::target), 2),
      share(times.ngram_accepted, times.ngram_proposed), share(times.draft_accepted, times.draft_proposed),
      times.proposal_steps, number(times.proposal_seconds, 2));
}

std::string loop_section(const ReplayReport& report, ReplayLoop loop, bool speculates) {
  const std::vector<ReplayRecord> records = records_of(report, loop, speculates);
  if (records.empty()) return "";
  const Row titles{
      "workload",        "problem",          "run",         "tokens", "s",        "draft decode s", "target decode s",
      "draft prefill s", "target prefill s", "hand-over s", "host s", "draft ms", "draft share",    "target ms",
      "target share",    "tokens/s"};
  std::vector<Row> rows;
  for (const ReplayRecord& record : records) {
    rows.push_back(
        times_row({std::to_string(record.workload), std::to_string(record.problem), std::to_string(record.run)},
                  record.times, 1));
  }
  const ReplayTimes sum = sum_of(records);
  rows.push_back(times_row({"total", "", ""}, sum, 1));
  rows.push_back(times_row({"mean", "", ""}, sum, static_cast<double>(records.size())));
  std::string text = fmt::format("\n## Loop {}{}\n\n", name_of(loop), speculates ? ", token-level speculation" : "") +
                     markdown_table(titles, rows) + "\n" + context_table(report, sum);
  text += fmt::format("\nRequests: {}, hand-over {} ms each", sum.requests,
                      number(1e3 * sum.hand_over_seconds() / static_cast<double>(sum.requests), 3));
  if (sum.switches > 0) {
    text += fmt::format("; {} of them to the other model, hand-over {} ms each", sum.switches,
                        number(1e3 * sum.switch_hand_over_seconds / static_cast<double>(sum.switches), 3));
  }
  return text + ".\n" + (speculates ? speculation_line(sum) : "");
}

std::string workload_table(const ReplayReport& report) {
  std::vector<Row> rows;
  for (const ReplayLoop loop : kReplayLoops) {
    for (const bool speculates : {false, true}) {
      const std::optional<WorkloadSeconds> seconds = workload_seconds(report, loop, speculates);
      if (!seconds) continue;
      rows.push_back({std::string(name_of(loop)) + (speculates ? ", token-level speculation" : ""),
                      number(seconds->mean, 3), seconds->computed ? "computed from the target's steps" : "measured"});
    }
  }
  if (rows.empty()) return "";
  return fmt::format("\n## Mean of {} workload{}\n\n", report.workloads.size(),
                     report.workloads.size() == 1 ? "" : "s") +
         markdown_table({"loop", "s", "source"}, rows);
}

std::string batch_step_table(const ReplayReport& report) {
  if (report.batch_steps.empty()) return "";
  Row titles{"sequences", "context"};
  for (const Role role : roles_of(report)) titles.push_back(fmt::format("{} ms", name_of(role)));
  std::vector<Row> rows;
  for (const BatchStepRow& step : report.batch_steps) {
    Row row{std::to_string(step.sequences), std::to_string(step.context)};
    for (const Role role : roles_of(report))
      row.push_back(number(step.milliseconds[static_cast<std::size_t>(role)], 3));
    rows.push_back(std::move(row));
  }
  return "\n## A decode step of several sequences\n\nOne row of each; median of three runs.\n\n" +
         markdown_table(titles, rows);
}

std::string batch_table(const ReplayReport& report) {
  if (report.batches.empty()) return "";
  std::vector<Row> rows;
  for (const BatchTimes& batch : report.batches) {
    const std::optional<double> one_by_one = one_by_one_seconds(report, batch);
    rows.push_back({name_of(batch.loop), std::to_string(batch.runs), std::to_string(batch.batch),
                    std::to_string(batch.tokens), number(batch.seconds, 3),
                    number(static_cast<double>(batch.tokens) / batch.seconds, 1), number(one_by_one, 3),
                    one_by_one ? number(batch.seconds / *one_by_one, 3) : "-"});
  }
  std::string text =
      "\n## Runs at once\n\n" +
      markdown_table({"loop", "runs", "at a time", "tokens", "s", "tokens/s", "one by one s", "ratio"}, rows);
  return text + "\nOne by one: as many times the mean of the recorded single runs without token-level speculation.\n";
}

std::string memory_table(const ReplayReport& report) {
  if (report.memory.empty()) return "";
  std::vector<Row> rows;
  for (std::size_t rank = 0; rank < report.memory.size(); ++rank) {
    const RankMemory& memory = report.memory[rank];
    const double ratio = static_cast<double>(memory.measured_bytes) / static_cast<double>(memory.planned_bytes) - 1;
    rows.push_back({std::to_string(rank), format_bytes(static_cast<std::uint64_t>(memory.planned_bytes)),
                    format_bytes(static_cast<std::uint64_t>(memory.measured_bytes)),
                    fmt::format("{:+.1f} %", 100 * ratio),
                    format_bytes(static_cast<std::uint64_t>(memory.total_bytes))});
  }
  std::string text = "\n## GPU memory\n\n" + markdown_table({"rank", "planned", "in use", "difference", "GPU"}, rows);
  if (report.memory_growth) {
    text += fmt::format("\nRank 0 has {:.1f} MiB more in use after the runs than before them.\n",
                        static_cast<double>(*report.memory_growth) / (1 << 20));
  }
  return text;
}

}  // namespace

std::string to_markdown(const ReplayReport& report) {
  std::string text = heading(report) + step_table(report);
  for (const Role role : roles_of(report)) text += timeline_table(report, role);
  text += prefill_table(report) + batch_step_table(report);
  for (const ReplayLoop loop : kReplayLoops) {
    for (const bool speculates : {false, true}) text += loop_section(report, loop, speculates);
  }
  return text + workload_table(report) + batch_table(report) + memory_table(report);
}

}  // namespace specthink::inline replay
