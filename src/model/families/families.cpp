#include <array>

#include "model/families/family.h"

namespace specthink::inline model {

std::span<const Family> supported_families() {
  static const std::array families{llama(), mistral(), phi3(), qwen2(), qwen3()};
  return families;
}

}  // namespace specthink::inline model
