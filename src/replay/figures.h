// What the Markdown and the JSON of a replay have in common.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "specthink/replay/report.h"

namespace specthink::inline replay {

/// Bytes per second of the slowest rank.
double read_limit(const ReplayReport& report);

/// The roles of the report's models, the target first.
std::vector<Role> roles_of(const ReplayReport& report);

std::vector<ReplayRecord> records_of(const ReplayReport& report, ReplayLoop loop, bool speculates);
ReplayTimes sum_of(const std::vector<ReplayRecord>& records);

/// "1024", and "longer" for the last one.
std::string bucket_name(std::size_t bucket);

/// None of fewer than `count` values.
std::optional<double> median(std::vector<double> values, int count);

/// The least time of a step that continues `context` tokens.
double limit_ms(const ReplayReport& report, Role role, double context);

}  // namespace specthink::inline replay
