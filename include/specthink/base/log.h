// Messages for people, on stderr; stdout belongs to results. Only rank 0 speaks unless a rank fails.
#pragma once

#include <spdlog/spdlog.h>

namespace specthink {

/// Sends log lines to stderr as `specthink: message`. A rank other than 0 logs errors only.
void init_logging(int rank);

}  // namespace specthink
