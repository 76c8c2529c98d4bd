// Numbers as YAML 1.1 spells them and PyYAML reads them: 1_000, 0x1F, 0b11, 017 (octal), 1:30 (base 60), .5, 1.5e+3.
// The exponents of YAML 1.2 and JSON without sign or point (1e3) are numbers here, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace specthink::inline config {

struct YamlInteger {
  bool is_negative = false;
  std::uint64_t magnitude = 0;
};

/// Empty when `text` is no integer or has more than 64 bits.
std::optional<YamlInteger> read_yaml_integer(std::string_view text);

/// Integers included; infinity and NaN as .inf and .nan.
std::optional<double> read_yaml_real(std::string_view text);

}  // namespace specthink::inline config
