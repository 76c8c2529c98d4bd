// Functions that every template can call.
#include <algorithm>
#include <chrono>
#include <ctime>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

Value range(Runtime& runtime, const Value&, const CallArguments& args) {
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

// The named arguments, which dict(...) and namespace(...) are made of.
const Variables& named_arguments(Runtime& runtime, const CallArguments& args) {
  if (!args.all().positional.empty()) fail("{} of a value without a name is not supported", args.callee());
  const Variables& named = args.all().named;
  runtime.spend(named.size() * named.size() / 2 + named.size() * sizeof(Value));
  return named;
}

Value dict(Runtime& runtime, const Value&, const CallArguments& args) {
  Entries entries;
  for (const auto& [name, value] : named_arguments(runtime, args)) entries.emplace_back(name, value);
  return Value::dict(std::move(entries));
}

Value make_namespace(Runtime& runtime, const Value&, const CallArguments& args) {
  Namespace* result = runtime.make_namespace();
  for (const auto& [name, value] : named_arguments(runtime, args)) {
    check_namespace_attribute(name);
    set_variable(result->attributes, name, value);
  }
  return result;
}

Value raise_exception(Runtime& runtime, const Value&, const CallArguments& args) {
  fail("{}", to_text(runtime, *args.get(0)));
}

Value strftime_now(Runtime& runtime, const Value&, const CallArguments& args) {
  constexpr std::size_t kMaxFormat = 1000;
  const std::string& format = args.string(0);
  if (format.size() > kMaxFormat) fail("strftime_now: a format of more than {} bytes is not supported", kMaxFormat);
  if (format.find("%f") != format.npos) fail("strftime_now: the format '%f' is not supported");
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  localtime_r(&seconds, &local);
  std::string result(kMaxFormat * 64, '\0');
  result.resize(std::strftime(result.data(), result.size(), format.c_str(), &local));
  return runtime.text(std::move(result));
}

constexpr Function kGlobals[] = {
    {"range", {"start", "stop", "step"}, 1, range},    {"dict", {kAnyArguments}, 0, dict},
    {"namespace", {kAnyArguments}, 0, make_namespace}, {"raise_exception", {"message"}, 1, raise_exception},
    {"strftime_now", {"format"}, 1, strftime_now},
};
constexpr auto kUnsupportedGlobals = unsupported("cycler", "joiner", "lipsum");

}  // namespace

const Function* find_global(std::string_view name) { return find_function({kGlobals, kUnsupportedGlobals}, name); }

void check_namespace_attribute(std::string_view name) {
  if (name.starts_with('_')) {
    fail("a namespace cannot have the attribute '{}': its name starts with an underscore", name);
  }
}

}  // namespace specthink::jinja
