#include <iostream>

#include "app/commands.h"
#include "specthink/base/error.h"

namespace specthink::inline app {

int run_config(const Invocation& invocation) {
  if (invocation.settings.format == Format::json) {
    std::cout << settings_as_json(invocation).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << settings_as_yaml(invocation);
  }
  return kExitSuccess;
}

}  // namespace specthink::inline app
