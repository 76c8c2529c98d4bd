// Filters that make texts of texts.
#include <algorithm>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/base/lowercase.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

template <std::string (*kConvert)(std::string_view)>
Value convert(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(to_text(runtime, self)));
}

Value string_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(to_text(runtime, self));
}

// These are methods of str too; the filters take any value as text.
Value trim_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value text = to_text(runtime, self);
  return call_function(runtime, *find_method(text, "strip"), text, args.all());
}

Value replace_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value text = to_text(runtime, self);
  const Value count = args.has(2) ? *args.get(2) : Value(std::int64_t{-1});
  const Values given{to_text(runtime, *args.get(0)), to_text(runtime, *args.get(1)), count};
  return call_function(runtime, *find_method(text, "replace"), text, {given, {}});
}

Value indent_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (!self.is_string()) fail("indent: expected a str, not {}", self.type_name());
  const std::string before = indentation_argument(runtime, args, 0, 4);
  const std::string text = *self.string() + "\n";  // so that a last line break begins an empty line
  runtime.check_text_size(text.size());
  TextBuilder out(runtime);
  bool is_first = true;
  for (const std::string_view line : split_lines(text)) {
    if (!is_first) out.append("\n");
    if (is_first ? args.flag(1) : args.flag(2) || !line.empty()) out.append(before);
    out.append(line);
    is_first = false;
  }
  return out.take();
}

// The reference marks the result, so that it is not escaped again; here nothing is escaped unasked.
Value escape_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  TextBuilder out(runtime);
  for (const char c : to_text(runtime, self)) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      case '"':
        out.append("&#34;");
        break;
      case '\'':
        out.append("&#39;");
        break;
      default:
        out.append({&c, 1});
    }
  }
  return out.take();
}

Value format_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto& [positional, named] = args.all();
  if (!positional.empty() && !named.empty())
    fail("format: can't handle positional and keyword arguments at the same time");
  if (named.empty()) return format_text(runtime, to_text(runtime, self), Value::tuple(positional));
  Entries entries;
  for (const auto& [name, value] : named) entries.emplace_back(name, value);
  return format_text(runtime, to_text(runtime, self), Value::dict(std::move(entries)));
}

constexpr Function kTextFilters[] = {
    {"capitalize", {}, 0, convert<capitalize>},
    {"e", {}, 0, escape_filter},
    {"escape", {}, 0, escape_filter},
    {"forceescape", {}, 0, escape_filter},
    {"format", {kAnyArguments}, 0, format_filter},
    {"indent", {"width", "first", "blank"}, 0, indent_filter},
    {"lower", {}, 0, convert<lowercase>},
    {"replace", {"old", "new", "count"}, 2, replace_filter},
    {"safe", {}, 0, string_filter},  // nothing is ever escaped
    {"string", {}, 0, string_filter},
    {"title", {}, 0, convert<title_of_words>},
    {"trim", {"chars"}, 0, trim_filter},
    {"upper", {}, 0, convert<uppercase>},
};

}  // namespace

std::span<const Function> text_filters() { return kTextFilters; }

}  // namespace specthink::jinja
