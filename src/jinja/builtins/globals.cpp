// Functions that every template can call.
#include <algorithm>
#include <ctime>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "specthink/base/local_time.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

Value range(Runtime& runtime, const Value&, const Args& args) {
  const bool only_stop = args.get(1) == nullptr;
  const std::int64_t start = only_stop ? 0 : args.integer(0, 0);
  const std::int64_t stop = args.integer(only_stop ? 0 : 1, 0);
  const std::int64_t step = args.integer(2, 1);
  if (step == 0) fail("range: the step must not be zero");
  Values items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (std::ssize(items) == kMaxRange) fail("range: more than {} numbers", kMaxRange);
    items.push_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  runtime.spend(items.size() * sizeof(Value));
  return Value::sequence(SequenceType::kRange, std::move(items));
}

// What dict(...) and namespace(...) are made of: a mapping or pairs, and named arguments.
Entries given_entries(Runtime& runtime, const Args& args) {
  const auto& [positional, named] = args.all();
  if (positional.size() > 1) fail("{} expected at most 1 argument, got {}", args.callee(), positional.size());
  Entries entries;
  if (!positional.empty() && positional[0].dict()) {
    entries = positional[0].dict()->entries;
  } else if (!positional.empty()) {
    for (const Value& pair : items_of(runtime, positional[0])) {
      const Values parts = items_of(runtime, pair);
      if (parts.size() != 2) fail("{}: expected pairs, found a sequence of {} items", args.callee(), parts.size());
      require_hashable(parts[0]);
      entries.emplace_back(parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : named) entries.emplace_back(name, value);
  runtime.spend(entries.size() * entries.size() / 2 + entries.size() * sizeof(Value));
  return entries;
}

Value dict(Runtime& runtime, const Value&, const Args& args) { return Value::dict(given_entries(runtime, args)); }

Value make_namespace(Runtime& runtime, const Value&, const Args& args) {
  Namespace* result = runtime.make_namespace();
  for (const auto& [name, value] : given_entries(runtime, args)) {
    if (name.is_string()) set_attribute(runtime, *result, *name.string(), value);  // nothing can read others
  }
  return result;
}

Value raise_exception(Runtime& runtime, const Value&, const Args& args) { fail("{}", to_text(runtime, *args.get(0))); }

Value strftime_now(Runtime& runtime, const Value&, const Args& args) {
  constexpr std::size_t kMaxFormat = 1000;
  const std::string& format = args.string(0);
  if (format.size() > kMaxFormat) fail("strftime_now: a format of more than {} bytes is not supported", kMaxFormat);
  if (format.find("%f") != format.npos) fail("strftime_now: the format '%f' is not supported");
  return runtime.text(format_local_time(std::time(nullptr), format));
}

constexpr Function kGlobals[] = {
    {"range", range, {"start", "stop", "step"}, 1}, {"dict", dict, {kAnyArguments}},
    {"namespace", make_namespace, {kAnyArguments}}, {"raise_exception", raise_exception, {"message"}, 1},
    {"strftime_now", strftime_now, {"format"}, 1},
};
constexpr auto kUnsupportedGlobals = unsupported("cycler", "joiner", "lipsum");

}  // namespace

const Function* find_global(std::string_view name) { return find_function({kGlobals, kUnsupportedGlobals}, name); }

}  // namespace specthink::jinja
