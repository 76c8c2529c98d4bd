#include "specthink/report/jsonl.h"

namespace specthink::inline report {

std::vector<TextLine> split_lines(std::string_view content) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::vector<TextLine> lines;
  std::size_t begin = content.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (int number = 1; begin < content.size(); ++number) {
    const std::size_t newline = content.find('\n', begin);
    const bool terminated = newline != std::string_view::npos;
    const std::size_t end = terminated ? newline : content.size();
    std::string_view text = content.substr(begin, end - begin);
    if (terminated && text.ends_with('\r')) text.remove_suffix(1);
    if (text.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back({text, begin, number, terminated});
    begin = end + 1;
  }
  return lines;
}

std::string to_line(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace specthink::inline report
