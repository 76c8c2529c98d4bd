#include "specthink/evaluation/progress.h"

#include <fmt/format.h>

#include <cmath>

namespace specthink::inline evaluation {
namespace {

constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

std::string format_duration(double seconds) {
  const auto total = static_cast<long long>(std::llround(std::min(std::max(seconds, 0.0), 1e12)));
  const long long minutes = total / 60;
  if (minutes == 0) return fmt::format("{} s", total);
  if (minutes < 60) return fmt::format("{} min {} s", minutes, total % 60);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

void TimeEstimate::add(RunMode mode, double seconds) {
  Sum& sum = sums_[mode];
  sum.seconds += seconds;
  ++sum.runs;
}

double TimeEstimate::remaining(std::span<const RunKey> pending) const {
  Sum all;
  for (const auto& [mode, sum] : sums_) {
    all.seconds += sum.seconds;
    all.runs += sum.runs;
  }
  double seconds = 0;
  for (const RunKey& key : pending) {
    const auto found = sums_.find(key.mode);
    const Sum& sum = found != sums_.end() ? found->second : all;
    if (sum.runs > 0) seconds += sum.seconds / static_cast<double>(sum.runs);
  }
  return seconds;
}

Progress::Progress(std::FILE* out, bool is_terminal, std::size_t finished, std::size_t total, std::size_t workers)
    : out_(out), is_terminal_(is_terminal), finished_(finished), total_(total), workers_(workers) {}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', out_);
}

void Progress::report(const RunRecord& record, const Json& problem_id, std::span<const RunKey> pending,
                      const std::string& label) {
  estimate_.add(record.key.mode, record.latency);
  if (record.is_finished()) ++finished_;
  std::string line =
      fmt::format("[{}/{}] {}{} problem {} run {}: {:.2f} s, {} tokens, {:.2f} tokens/s", finished_, total_,
                  label.empty() ? "" : label + " ", name_of(record.key.mode), excerpt(problem_id), record.key.run,
                  record.latency, record.num_tokens, record.throughput);
  if (record.correct) {
    auto& [right, all] = judged_[{label, record.key.mode}];
    ++all;
    if (*record.correct) ++right;
    line += fmt::format(", {} ({} of {} right so far, {:.1f} %)", *record.correct ? "right" : "wrong", right, all,
                        100.0 * static_cast<double>(right) / static_cast<double>(all));
  }
  if (!record.is_finished()) line += ", interrupted";
  if (!pending.empty()) {
    line += ", ETA " + format_duration(estimate_.remaining(pending) / static_cast<double>(workers_));
  }
  fmt::print(out_, "{}{}{}", is_terminal_ ? kEraseLine : "", line, is_terminal_ ? "" : "\n");
  std::fflush(out_);
  line_open_ = is_terminal_;
}

}  // namespace specthink::inline evaluation
