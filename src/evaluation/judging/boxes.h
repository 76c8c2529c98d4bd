// Boxes in a text: \boxed{...}, \fbox{...}, \boxed 7.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline evaluation {

struct Boxes {
  std::optional<std::string> last;  ///< content of the last complete one that is not blank; of nested ones the inner
  bool has_open = false;            ///< one begins that never ends: the text was cut off
};

Boxes find_boxes(std::string_view text);

}  // namespace specthink::inline evaluation
