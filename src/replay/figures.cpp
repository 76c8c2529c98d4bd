#include "replay/figures.h"

#include <algorithm>
#include <utility>

namespace specthink::inline replay {
namespace {

double step_ms(double context, const std::vector<std::pair<double, double>>& known) {
  if (context <= known.front().first) return known.front().second;
  std::size_t right = 1;
  while (right + 1 < known.size() && known[right].first < context) ++right;
  const auto& [x0, y0] = known[right - 1];
  const auto& [x1, y1] = known[right];
  return y0 + (y1 - y0) * (context - x0) / (x1 - x0);
}

}  // namespace

double read_limit(const ReplayReport& report) {
  const auto& rates = report.read_bytes_per_second;
  return rates.empty() ? 0 : *std::min_element(rates.begin(), rates.end());
}

std::vector<Role> roles_of(const ReplayReport& report) {
  std::vector<Role> roles{Role::target};
  if (report.draft) roles.push_back(Role::draft);
  return roles;
}

std::vector<ReplayRecord> records_of(const ReplayReport& report, ReplayLoop loop, bool speculates) {
  std::vector<ReplayRecord> records;
  for (const ReplayRecord& record : report.records) {
    if (record.loop == loop && record.speculates == speculates) records.push_back(record);
  }
  return records;
}

ReplayTimes sum_of(const std::vector<ReplayRecord>& records) {
  ReplayTimes sum;
  for (const ReplayRecord& record : records) sum += record.times;
  return sum;
}

std::string bucket_name(std::size_t bucket) {
  return bucket < kContextBuckets.size() ? std::to_string(kContextBuckets[bucket]) : "longer";
}

std::optional<double> median(std::vector<double> values, int count) {
  if (std::cmp_less(values.size(), count)) return std::nullopt;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double limit_ms(const ReplayReport& report, Role role, double context) {
  const double rate = read_limit(report);
  return rate > 0 ? 1e3 * report.step_bytes[static_cast<std::size_t>(role)].at(context) / rate : 0;
}

std::optional<double> target_alone_seconds(const Trace& trace, std::span<const StepRow> steps) {
  std::vector<std::pair<double, double>> known;
  for (const StepRow& row : steps) {
    const auto& ms = row.milliseconds[static_cast<std::size_t>(Role::target)];
    if (ms) known.emplace_back(static_cast<double>(row.context), *ms);
  }
  if (known.size() < 2) return std::nullopt;
  std::sort(known.begin(), known.end());
  double milliseconds = 0;
  for (int i = 0; i < trace.completion_tokens; ++i) milliseconds += step_ms(trace.prompt_tokens + i, known);
  return milliseconds / 1e3;
}

std::optional<double> one_by_one_seconds(const ReplayReport& report, const BatchTimes& batch) {
  const std::vector<ReplayRecord> records = records_of(report, batch.loop, false);
  if (records.empty()) return std::nullopt;
  return sum_of(records).seconds / static_cast<double>(records.size()) * static_cast<double>(batch.runs);
}

std::optional<WorkloadSeconds> workload_seconds(const ReplayReport& report, ReplayLoop loop, bool speculates) {
  if (report.workloads.empty()) return std::nullopt;
  const auto count = static_cast<double>(report.workloads.size());
  const std::vector<ReplayRecord> records = records_of(report, loop, speculates);
  if (records.size() == report.workloads.size()) return WorkloadSeconds{sum_of(records).seconds / count, false};
  if (loop != ReplayLoop::target || speculates) return std::nullopt;
  double sum = 0;
  for (const Trace& trace : report.traces) {
    const std::optional<double> seconds = target_alone_seconds(trace, report.steps);
    if (!seconds) return std::nullopt;
    sum += *seconds;
  }
  return WorkloadSeconds{sum / count, true};
}

}  // namespace specthink::inline replay
