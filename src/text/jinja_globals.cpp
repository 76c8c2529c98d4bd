// Functions that every template can call.
#include <algorithm>
#include <chrono>
#include <ctime>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_function.h"
#include "text/jinja_operators.h"

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

// The entries that dict(...) and namespace(...) build: from a dict or pairs, then from the named arguments.
Entries collected_entries(Runtime& runtime, const CallArguments& args) {
  const Arguments& given = args.all();
  if (given.positional.size() > 1) fail("{} takes at most one positional argument", args.callee());
  Entries entries;
  if (!given.positional.empty()) {
    const Value& source = given.positional[0];
    if (const Dict* dict = source.dict()) {
      entries = dict->entries;
    } else {
      for (const Value& pair : items_of(runtime, source)) {
        const Values both = items_of(runtime, pair);
        if (both.size() != 2) fail("{}: expected pairs of key and value", args.callee());
        entries.emplace_back(both[0], both[1]);
      }
    }
  }
  for (const auto& [name, value] : given.named) entries.emplace_back(Value(name), value);
  runtime.spend(entries.size() * entries.size() / 2 + entries.size() * sizeof(Value));
  return entries;
}

Value dict(Runtime& runtime, const Value&, const CallArguments& args) {
  return Value::dict(collected_entries(runtime, args));
}

Value make_namespace(Runtime& runtime, const Value&, const CallArguments& args) {
  Namespace* result = runtime.make_namespace();
  for (const auto& [key, value] : collected_entries(runtime, args)) {
    if (!key.is_string()) fail("namespace: expected names, found a {}", key.type_name());
    check_namespace_attribute(*key.string());
    result->set(*key.string(), value);
  }
  return result;
}

Value raise_exception(Runtime& runtime, const Value&, const CallArguments& args) {
  fail("{}", to_text(runtime, *args.get(0)));
}

Value strftime_now(Runtime& runtime, const Value&, const CallArguments& args) {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::string format;
  const std::string& given = args.string(0);
  for (std::size_t i = 0; i < given.size(); ++i) {  // %f is Python's own
    if (given[i] == '%' && i + 1 < given.size()) {
      format += given[++i] == 'f' ? fmt::format("{:06}", micros) : std::string{'%', given[i]};
    } else {
      format += given[i];
    }
  }
  std::tm local{};
  localtime_r(&seconds, &local);
  constexpr std::size_t kMaxFormat = 1000;
  if (format.size() > kMaxFormat) fail("strftime_now: a format of more than {} bytes is not supported", kMaxFormat);
  std::string result(kMaxFormat * 64, '\0');
  result.resize(std::strftime(result.data(), result.size(), format.c_str(), &local));
  return runtime.text(std::move(result));
}

constexpr Function kGlobals[] = {
    {"range", {"start", "stop", "step"}, 1, range},
    {"dict", {kAnyArguments}, 0, dict},
    {"namespace", {kAnyArguments}, 0, make_namespace},
    {"raise_exception", {"message"}, 1, raise_exception},
    {"strftime_now", {"format"}, 1, strftime_now},
    // Of Jinja, but not supported.
    {"cycler", {}, 0, nullptr},
    {"joiner", {}, 0, nullptr},
    {"lipsum", {}, 0, nullptr},
};

}  // namespace

const Function* find_global(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kGlobals), std::end(kGlobals), [&](const Function& f) { return f.name == name; });
  return found == std::end(kGlobals) ? nullptr : found;
}

void check_namespace_attribute(std::string_view name) {
  if (name.starts_with('_'))
    fail("a namespace cannot have the attribute '{}': its name starts with an underscore", name);
}

}  // namespace specthink::jinja
