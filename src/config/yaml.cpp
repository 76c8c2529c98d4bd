#include "specthink/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>

#include "config/yaml_number.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/strings.h"

namespace specthink::inline config {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxExpandedSize = std::size_t{4} << 20;  // nodes and bytes, aliases expanded

std::size_t expanded_size(const YamlValue& value) {
  return std::accumulate(value.items.begin(), value.items.end(), value.text.size() + value.key.size() + 1,
                         [](std::size_t sum, const YamlValue& item) { return sum + expanded_size(item); });
}

// Builds the tree from the parser's events, so that every check happens before a document can grow.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view source) : source_(source) {}

  YamlValue take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(YamlValue::Kind::null, mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    YamlValue value = make(scalar_kind(tag, mark), mark);
    value.text = text;
    add(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto anchored = anchors_.find(anchor);
    if (anchored == anchors_.end()) fail(mark, "an alias (*) must not stand inside its own anchor (&)");
    size_ += expanded_size(anchored->second);
    if (size_ > kMaxExpandedSize) fail(mark, "the aliases (*) expand to too much text; write the values out");
    YamlValue value = anchored->second;
    value.line = mark.line + 1;
    value.key.clear();
    if (open_.size() + depth_of(value) > kMaxDepth) fail_depth(mark);
    add(std::move(value), YAML::NullAnchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, "seq", YamlValue::Kind::list, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, "map", YamlValue::Kind::map, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlValue value;
    YAML::anchor_t anchor;
    std::optional<std::pair<std::string, int>> key;  // the next item of a map has it, on this line
    std::map<std::string, int, std::less<>> lines;   // where each key so far stands
  };

  static constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

  static YamlValue make(YamlValue::Kind kind, const YAML::Mark& mark) {
    YamlValue value;
    value.kind = kind;
    value.line = mark.line + 1;
    return value;
  }

  static std::size_t depth_of(const YamlValue& value) {
    std::size_t depth = 0;
    for (const YamlValue& item : value.items) depth = std::max(depth, depth_of(item));
    return depth + (value.is_scalar() || value.kind == YamlValue::Kind::null ? 0 : 1);
  }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw UserError("{}:{}: {}", source_, mark.line + 1, what);
  }

  [[noreturn]] void fail_depth(const YAML::Mark& mark) const {
    fail(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
  }

  YamlValue::Kind scalar_kind(const std::string& tag, const YAML::Mark& mark) const {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return YamlValue::Kind::quoted;
    if (tag.empty() || tag == "?") return YamlValue::Kind::plain;
    for (const char* known : {"int", "float", "bool"}) {
      if (tag == std::string(kTagPrefix) + known) return YamlValue::Kind::plain;
    }
    fail(mark, fmt::format("unknown tag {}", quote(tag)));
  }

  void open(const YAML::Mark& mark, const std::string& tag, const char* tag_name, YamlValue::Kind kind,
            YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != std::string(kTagPrefix) + tag_name) {
      fail(mark, fmt::format("unknown tag {}", quote(tag)));
    }
    if (expects_key()) fail(mark, "a key must be text, not a list or a map");
    if (open_.size() >= kMaxDepth) fail_depth(mark);
    open_.push_back({make(kind, mark), anchor, std::nullopt, {}});
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.value), closed.anchor);
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value.kind == YamlValue::Kind::map && !open_.back().key;
  }

  void add(YamlValue value, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = value;
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (expects_key()) {
      set_key(value);
    } else {
      Open& parent = open_.back();
      if (parent.key) std::tie(value.key, value.key_line) = *std::exchange(parent.key, std::nullopt);
      parent.value.items.push_back(std::move(value));
    }
  }

  void set_key(const YamlValue& key) {
    if (!key.is_scalar()) throw UserError("{}:{}: a key must be text, found {}", source_, key.line, key.describe());
    const auto [first, is_new] = open_.back().lines.emplace(key.text, key.line);
    if (!is_new) {
      throw UserError("{}:{}: key {} is given twice, first in line {}; remove one of them", source_, key.line,
                      quote(key.text), first->second);
    }
    open_.back().key.emplace(key.text, key.line);
  }

  std::string_view source_;
  YamlValue root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlValue> anchors_;
  std::size_t size_ = 0;
};

int line_of(std::string_view text, std::size_t offset) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

// yaml-cpp takes some control characters as the end of the text.
void check_characters(std::string_view text, std::string_view source) {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid < text.size()) throw UserError("{}:{}: not valid UTF-8", source, line_of(text, valid));
  const auto control = std::find_if(text.begin(), text.end(),
                                    [](unsigned char c) { return c < 0x20 && c != '\n' && c != '\r' && c != '\t'; });
  if (control != text.end()) {
    throw UserError("{}:{}: control character 0x{:02x}, write \"\\x{:02x}\" in double quotes", source,
                    line_of(text, static_cast<std::size_t>(control - text.begin())), *control, *control);
  }
}

YamlValue parse_document(std::string_view text, std::string_view source) {
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    TreeBuilder tree(source);
    if (!parser.HandleNextDocument(tree)) return {};
    TreeBuilder second(source);
    if (parser.HandleNextDocument(second)) {
      throw UserError("{}:{}: a second YAML document begins, expected one", source, second.take_root().line);
    }
    return tree.take_root();
  } catch (const YAML::Exception& error) {
    throw UserError("{}:{}: not valid YAML: {}", source, std::max(error.mark.line, 0) + 1, error.msg);
  }
}

}  // namespace

const YamlValue* YamlValue::find(std::string_view wanted) const {
  if (kind != Kind::map) return nullptr;
  const auto item = std::find_if(items.begin(), items.end(), [&](const YamlValue& item) { return item.key == wanted; });
  return item == items.end() ? nullptr : &*item;
}

std::string YamlValue::describe() const {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::plain:
      return quote(text);
    case Kind::quoted:
      return "the text " + quote(text);
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
  }
  return "";
}

YamlValue parse_yaml(std::string_view text, std::string_view source) {
  check_characters(text, source);
  // yaml-cpp misses that quotes are still open where a text ends in white space, but not where it ends at once.
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end != text.npos && end + 1 < text.size()) parse_document(text.substr(0, end + 1), source);
  return parse_document(text, source);
}

YamlValue read_yaml(const std::filesystem::path& path) {
  return parse_yaml(read_file(path, kMaxFileBytes), path.string());
}

bool is_plain_number(std::string_view text) { return read_yaml_real(text).has_value(); }

bool is_plain_boolean(std::string_view text) {
  for (const char* word : {"true", "True", "TRUE", "false", "False", "FALSE"}) {
    if (text == word) return true;
  }
  return false;
}

std::string to_flow_yaml(const Json& value) {
  if (!value.is_structured()) return value.dump();
  std::string inner;
  for (const auto& [key, item] : value.items()) {
    if (!inner.empty()) inner += ", ";
    if (value.is_object()) inner += Json(key).dump() + ": ";
    inner += to_flow_yaml(item);
  }
  return value.is_object() ? "{" + inner + "}" : "[" + inner + "]";
}

std::string quote(std::string_view text, std::size_t max_bytes) {
  const std::string valid = replace_invalid_utf8(text);
  if (valid.size() <= max_bytes) return Json(valid).dump();
  const std::string_view start = std::string_view(valid).substr(0, max_bytes);
  return Json(start.substr(0, valid_utf8_prefix(start))).dump() + "…";
}

}  // namespace specthink::inline config
