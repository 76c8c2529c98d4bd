#include "specthink/base/local_time.h"

namespace specthink::inline base {

std::string format_local_time(std::time_t time, const std::string& format) {
  std::tm local{};
  localtime_r(&time, &local);
  std::string text(kMaxTimeBytes, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &local));
  return text;
}

}  // namespace specthink::inline base
