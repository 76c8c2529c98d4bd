// Any text as a YAML document.
#include "specthink/config/yaml.h"

#include "fuzz/input.h"

using namespace specthink;

namespace {

// Visits the whole tree: every line number is set, and what is found can be described.
void visit(const YamlValue& value) {
  check(value.line >= 0, "a line is a count");
  static_cast<void>(value.describe());
  for (const YamlValue& item : value.items) {
    if (value.kind == YamlValue::Kind::map) check(value.find(item.key) == &item, "no key stands twice in a map");
    visit(item);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::allow_user_error([&] { visit(parse_yaml(text, "input.yml")); });
  return 0;
}
