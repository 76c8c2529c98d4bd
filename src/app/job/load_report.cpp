#include "app/job/load_report.h"

#include <fmt/format.h>

#include "specthink/base/log.h"

namespace specthink::inline app {
namespace {

constexpr double kReportSeconds = 2;  // between two lines

}  // namespace

void LoadReport::progress(const LoadProgress& progress) {
  const double seconds = watch_.seconds();
  if (seconds < reported_ + kReportSeconds) return;
  reported_ = seconds;
  const double read = static_cast<double>(progress.read_bytes) / 1e9;
  const double total = static_cast<double>(progress.total_bytes) / 1e9;
  spdlog::info("{}: layer {} of {} after {:.0f} s{}", model_, progress.layer, num_layers_, seconds,
               total > 0 ? fmt::format(", {:.1f} of {:.1f} GB read ({:.2f} GB/s)", read, total, read / seconds) : "");
}

}  // namespace specthink::inline app
