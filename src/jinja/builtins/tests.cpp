// What can follow `is`.
#include <functional>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "specthink/base/lowercase.h"
#include "specthink/base/python/text.h"

namespace specthink::jinja {
namespace {

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_the_true(const Value& value) { return value.boolean() && *value.boolean(); }
bool is_the_false(const Value& value) { return value.boolean() && !*value.boolean(); }
bool is_callable(const Value& value) { return value.method() || value.macro() || value.loop() || value.is_undefined(); }

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.sequence() || value.dict() || value.loop();
}

// What has a length and can be indexed.
bool is_sequence(const Value& value) { return value.is_undefined() || value.dict() || value.is_indexable(); }

// Whether the test has a result that counts as true.
template <auto kTest>
Value simple(Runtime&, const Value& self, const Args&) {
  return static_cast<bool>(std::invoke(kTest, self));
}

// value % number == remainder
Value leaves(Runtime& runtime, const Value& self, const Value& number, std::int64_t remainder) {
  return equal(runtime, arithmetic(runtime, ArithmeticOp::kModulo, self, number), remainder);
}

Value divisible(Runtime& runtime, const Value& self, const Args& args) {
  return leaves(runtime, self, *args.get(0), 0);
}

template <std::int64_t kRemainder>
Value parity(Runtime& runtime, const Value& self, const Args&) {
  return leaves(runtime, self, std::int64_t{2}, kRemainder);
}

template <std::string (*kConvert)(std::string_view)>
Value text_in_case(Runtime& runtime, const Value& self, const Args&) {
  return python::has_case(to_text(runtime, self), kConvert);
}

template <const Function* (*kFind)(std::string_view)>
Value names_a(Runtime&, const Value& self, const Args&) {
  const Function* found = self.is_string() ? kFind(*self.string()) : nullptr;
  return found != nullptr && found->call != nullptr;
}

Value same_test(Runtime&, const Value& self, const Args& args) { return self.same_as(*args.get(0)); }

template <CompareOp kOp>
Value compared(Runtime& runtime, const Value& self, const Args& args) {
  return holds(runtime, kOp, self, *args.get(0));
}

template <CompareOp kOp, typename... Names>
constexpr auto comparisons(Names... names) {
  return std::array{Function{names, compared<kOp>, {"other"}, 1}...};
}

constexpr auto kEqual = comparisons<CompareOp::kEqual>("==", "eq", "equalto");
constexpr auto kNotEqual = comparisons<CompareOp::kNotEqual>("!=", "ne");
constexpr auto kLess = comparisons<CompareOp::kLess>("<", "lt", "lessthan");
constexpr auto kLessOrEqual = comparisons<CompareOp::kLessOrEqual>("<=", "le");
constexpr auto kGreater = comparisons<CompareOp::kGreater>(">", "gt", "greaterthan");
constexpr auto kGreaterOrEqual = comparisons<CompareOp::kGreaterOrEqual>(">=", "ge");
constexpr Function kTests[] = {
    {"boolean", simple<&Value::boolean>},
    {"callable", simple<is_callable>},
    {"defined", simple<is_defined>},
    {"false", simple<is_the_false>},
    {"float", simple<&Value::real>},
    {"integer", simple<&Value::integer>},
    {"iterable", simple<is_iterable>},
    {"mapping", simple<is_mapping>},
    {"none", simple<&Value::is_none>},
    {"number", simple<&Value::as_number>},
    {"sequence", simple<is_sequence>},
    {"string", simple<&Value::is_string>},
    {"true", simple<is_the_true>},
    {"undefined", simple<&Value::is_undefined>},
    {"divisibleby", divisible, {"num"}, 1},
    {"even", parity<0>},
    {"odd", parity<1>},
    {"filter", names_a<find_filter>},
    {"test", names_a<find_test>},
    {"lower", text_in_case<lowercase>},
    {"upper", text_in_case<python::uppercase>},
    {"sameas", same_test, {"other"}, 1},
    {"in", compared<CompareOp::kIn>, {"seq"}, 1},
};
constexpr auto kUnsupportedTests = unsupported("escaped");

}  // namespace

const Function* find_test(std::string_view name) {
  return find_function({kTests, kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kUnsupportedTests},
                       name);
}

}  // namespace specthink::jinja
