#include <array>

#include "model/families/family.h"

namespace specthink {

std::span<const Family> supported_families() {
  static const std::array families{qwen3()};
  return families;
}

}  // namespace specthink
