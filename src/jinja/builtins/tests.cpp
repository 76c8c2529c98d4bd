// What can follow `is`.
#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/base/lowercase.h"

namespace specthink::jinja {
namespace {

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.sequence() || value.dict() || value.loop();
}

// What has a length and can be indexed.
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_undefined() || value.is_string() || value.dict() ||
         (sequence != nullptr && sequence->type <= SequenceType::kRange);
}

bool is_lower(Runtime& runtime, const Value& value) { return has_case(to_text(runtime, value), lowercase); }
bool is_upper(Runtime& runtime, const Value& value) { return has_case(to_text(runtime, value), uppercase); }

// value % number == 0
Value divisible(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value remainder = arithmetic(runtime, ArithmeticOp::kModulo, self, *args.get(0));
  return equal(runtime, remainder, std::int64_t{0});
}

template <std::int64_t kRemainder>
Value parity(Runtime& runtime, const Value& self, const CallArguments&) {
  const Value remainder = arithmetic(runtime, ArithmeticOp::kModulo, self, std::int64_t{2});
  return equal(runtime, remainder, kRemainder);
}

template <bool (*kTest)(Runtime&, const Value&)>
Value of_text(Runtime& runtime, const Value& self, const CallArguments&) {
  return kTest(runtime, self);
}

template <const Function* (*kFind)(std::string_view)>
Value names_a(Runtime&, const Value& self, const CallArguments&) {
  const Function* found = self.is_string() ? kFind(*self.string()) : nullptr;
  return found != nullptr && found->call != nullptr;
}

Value same_test(Runtime&, const Value& self, const CallArguments& args) { return self.same_as(*args.get(0)); }

template <auto kTest>
Value simple(Runtime&, const Value& self, const CallArguments&) {
  return kTest(self);
}

template <CompareOp kOp>
Value comparison(Runtime& runtime, const Value& self, const CallArguments& args) {
  return holds(runtime, kOp, self, *args.get(0));
}

constexpr Function kTests[] = {
    {"boolean", {}, 0, simple<[](const Value& value) { return value.boolean() != nullptr; }>},
    {"callable", {}, 0, simple<[](const Value& value) {
       return value.method() || value.macro() || value.loop() || value.is_undefined();
     }>},
    {"defined", {}, 0, simple<[](const Value& value) { return !value.is_undefined(); }>},
    {"false", {}, 0, simple<[](const Value& value) { return value.boolean() && !*value.boolean(); }>},
    {"float", {}, 0, simple<[](const Value& value) { return value.real() != nullptr; }>},
    {"integer", {}, 0, simple<[](const Value& value) { return value.integer() != nullptr; }>},
    {"iterable", {}, 0, simple<is_iterable>},
    {"mapping", {}, 0, simple<[](const Value& value) { return value.dict() != nullptr; }>},
    {"none", {}, 0, simple<[](const Value& value) { return value.is_none(); }>},
    {"number", {}, 0, simple<[](const Value& value) { return value.as_number().has_value(); }>},
    {"sequence", {}, 0, simple<is_sequence>},
    {"string", {}, 0, simple<[](const Value& value) { return value.is_string(); }>},
    {"true", {}, 0, simple<[](const Value& value) { return value.boolean() && *value.boolean(); }>},
    {"undefined", {}, 0, simple<[](const Value& value) { return value.is_undefined(); }>},
    {"divisibleby", {"num"}, 1, divisible},
    {"even", {}, 0, parity<0>},
    {"odd", {}, 0, parity<1>},
    {"filter", {}, 0, names_a<find_filter>},
    {"test", {}, 0, names_a<find_test>},
    {"lower", {}, 0, of_text<is_lower>},
    {"upper", {}, 0, of_text<is_upper>},
    {"sameas", {"other"}, 1, same_test},
    {"in", {"seq"}, 1, comparison<CompareOp::kIn>},
    {"==", {"other"}, 1, comparison<CompareOp::kEqual>},
    {"eq", {"other"}, 1, comparison<CompareOp::kEqual>},
    {"equalto", {"other"}, 1, comparison<CompareOp::kEqual>},
    {"!=", {"other"}, 1, comparison<CompareOp::kNotEqual>},
    {"ne", {"other"}, 1, comparison<CompareOp::kNotEqual>},
    {"<", {"other"}, 1, comparison<CompareOp::kLess>},
    {"lt", {"other"}, 1, comparison<CompareOp::kLess>},
    {"lessthan", {"other"}, 1, comparison<CompareOp::kLess>},
    {"<=", {"other"}, 1, comparison<CompareOp::kLessOrEqual>},
    {"le", {"other"}, 1, comparison<CompareOp::kLessOrEqual>},
    {">", {"other"}, 1, comparison<CompareOp::kGreater>},
    {"gt", {"other"}, 1, comparison<CompareOp::kGreater>},
    {"greaterthan", {"other"}, 1, comparison<CompareOp::kGreater>},
    {">=", {"other"}, 1, comparison<CompareOp::kGreaterOrEqual>},
    {"ge", {"other"}, 1, comparison<CompareOp::kGreaterOrEqual>},
};
constexpr auto kUnsupportedTests = unsupported("escaped");

}  // namespace

const Function* find_test(std::string_view name) { return find_function({kTests, kUnsupportedTests}, name); }

}  // namespace specthink::jinja
