#include "specthink/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace specthink::inline base {

void init_logging(int rank) {
  auto logger = spdlog::get("specthink");
  if (!logger) logger = spdlog::stderr_color_mt("specthink");
  logger->set_pattern("specthink: %^%v%$");
  logger->set_level(rank == 0 ? spdlog::level::info : spdlog::level::err);
  spdlog::set_default_logger(logger);
}

}  // namespace specthink::inline base
