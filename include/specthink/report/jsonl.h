// Line-oriented files: JSON, one value a line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"

namespace specthink::inline report {

/// JSON whose keys keep the order in which they were written; what people read is built with it.
using OrderedJson = nlohmann::ordered_json;

struct TextLine {
  std::string_view text;   ///< without its end (LF or CRLF)
  std::size_t offset = 0;  ///< of its first byte in the file
  int number = 0;          ///< from 1
  bool terminated = true;  ///< false: the file ends inside or right behind this line
};

/// The lines of `content`, blank ones (spaces and tabs at most) left out; a byte order mark is skipped.
/// The result refers to `content`.
std::vector<TextLine> split_lines(std::string_view content);

/// `value` on one line. Text that is no valid UTF-8 gets U+FFFD.
std::string to_line(const OrderedJson& value);

}  // namespace specthink::inline report
