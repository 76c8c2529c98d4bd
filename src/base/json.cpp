#include "specthink/base/json.h"

#include "specthink/base/error.h"
#include "specthink/base/file.h"

namespace specthink {
namespace {

constexpr int kMaxDepth = 256;

}  // namespace

Json parse_json(std::string_view text, std::string_view source) {
  const auto guard_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw UserError("{}: JSON is nested deeper than {} levels", source, kMaxDepth);
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), guard_depth);
  } catch (const Json::parse_error& error) {
    throw UserError("{}: not valid JSON at byte {}: {}", source, error.byte, error.what());
  }
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

}  // namespace specthink
