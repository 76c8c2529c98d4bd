#include "specthink/base/json.h"

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/strings.h"

namespace specthink::inline base {
namespace {

constexpr int kMaxDepth = 256;

// Nesting is checked before parsing: recursion over a parsed document must not exhaust the stack.
void check_depth(std::string_view text, std::string_view source) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth)
        throw UserError("{}: JSON is nested deeper than {} levels at byte {}", source, kMaxDepth, i);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view source) {
  check_depth(text, source);
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    throw UserError("{}: not valid JSON at byte {}: {}", source, error.byte, error.what());
  } catch (const Json::out_of_range& error) {  // a number beyond the range of a double
    throw UserError("{}: not valid JSON: {}", source, error.what());
  }
}

std::string excerpt(const Json& value) {
  constexpr std::size_t kMaxLength = 80;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxLength) return text;
  text.resize(kMaxLength);
  text.resize(valid_utf8_prefix(text));
  return text + "…";
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

}  // namespace specthink::inline base
