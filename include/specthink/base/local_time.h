// Times as text, in the time zone of this machine.
#pragma once

#include <cstddef>
#include <ctime>
#include <string>

namespace specthink::inline base {

inline constexpr std::size_t kMaxTimeBytes = 64000;

/// As strftime(); empty when the text needs kMaxTimeBytes or more.
std::string format_local_time(std::time_t time, const std::string& format);

}  // namespace specthink::inline base
