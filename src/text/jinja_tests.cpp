// What can follow `is`.
#include <algorithm>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_function.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

bool is_number(const Value& value) { return value.as_number().has_value(); }
bool is_integer(const Value& value) { return value.integer() != nullptr; }
bool is_float(const Value& value) { return value.real() != nullptr; }
bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is_bool(); }
bool is_the_true(const Value& value) { return value.boolean() && *value.boolean(); }
bool is_the_false(const Value& value) { return value.boolean() && !*value.boolean(); }
bool is_string(const Value& value) { return value.is_string(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_callable(const Value& value) { return value.method() || value.macro() || value.is_undefined(); }

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.sequence() || value.dict() || value.iterator() ||
         value.loop();
}

// What has a length and can be indexed.
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.is_undefined() || value.is_string() || value.dict() ||
         (sequence != nullptr && sequence->type <= SequenceType::kRange);
}

template <bool (*kTest)(const Value&)>
Value simple(Runtime&, const Value& self, const CallArguments&) {
  return kTest(self);
}

Value remainder(Runtime& runtime, const Value& value, const Value& divisor) {
  return arithmetic(runtime, ArithmeticOp::kModulo, value, divisor);
}

template <std::int64_t kRemainder>
Value parity(Runtime& runtime, const Value& self, const CallArguments&) {
  return equal(runtime, remainder(runtime, self, std::int64_t{2}), kRemainder);
}

Value divisible(Runtime& runtime, const Value& self, const CallArguments& args) {
  return equal(runtime, remainder(runtime, self, *args.get(0)), std::int64_t{0});
}

template <bool (*kHas)(char32_t), bool (*kOther)(char32_t)>
Value case_test(Runtime& runtime, const Value& self, const CallArguments&) {
  const std::u32string codes = code_points(to_text(runtime, self));
  return std::any_of(codes.begin(), codes.end(), kHas) && std::none_of(codes.begin(), codes.end(), kOther);
}

template <bool kExpected>
Value equality(Runtime& runtime, const Value& self, const CallArguments& args) {
  return equal(runtime, self, *args.get(0)) == kExpected;
}

Value less(Runtime& runtime, const Value& self, const CallArguments& args) {
  return compare(runtime, self, *args.get(0)) < 0;
}
Value less_or_equal(Runtime& runtime, const Value& self, const CallArguments& args) {
  return compare(runtime, self, *args.get(0)) <= 0;
}
Value greater(Runtime& runtime, const Value& self, const CallArguments& args) {
  return compare(runtime, self, *args.get(0)) > 0;
}
Value greater_or_equal(Runtime& runtime, const Value& self, const CallArguments& args) {
  return compare(runtime, self, *args.get(0)) >= 0;
}

Value in_container(Runtime& runtime, const Value& self, const CallArguments& args) {
  return contains(runtime, *args.get(0), self);
}

Value same(Runtime&, const Value& self, const CallArguments& args) { return self.same_as(*args.get(0)); }

constexpr Function kTests[] = {
    {"boolean", {}, 0, simple<is_boolean>},
    {"callable", {}, 0, simple<is_callable>},
    {"defined", {}, 0, simple<is_defined>},
    {"divisibleby", {"num"}, 1, divisible},
    {"even", {}, 0, parity<0>},
    {"false", {}, 0, simple<is_the_false>},
    {"float", {}, 0, simple<is_float>},
    {"in", {"seq"}, 1, in_container},
    {"integer", {}, 0, simple<is_integer>},
    {"iterable", {}, 0, simple<is_iterable>},
    {"lower", {}, 0, case_test<is_lower, is_upper>},
    {"mapping", {}, 0, simple<is_mapping>},
    {"none", {}, 0, simple<is_none>},
    {"number", {}, 0, simple<is_number>},
    {"odd", {}, 0, parity<1>},
    {"sameas", {"other"}, 1, same},
    {"sequence", {}, 0, simple<is_sequence>},
    {"string", {}, 0, simple<is_string>},
    {"true", {}, 0, simple<is_the_true>},
    {"undefined", {}, 0, simple<is_undefined>},
    {"upper", {}, 0, case_test<is_upper, is_lower>},
    {"==", {"other"}, 1, equality<true>},
    {"eq", {"other"}, 1, equality<true>},
    {"equalto", {"other"}, 1, equality<true>},
    {"!=", {"other"}, 1, equality<false>},
    {"ne", {"other"}, 1, equality<false>},
    {"<", {"other"}, 1, less},
    {"lt", {"other"}, 1, less},
    {"lessthan", {"other"}, 1, less},
    {"<=", {"other"}, 1, less_or_equal},
    {"le", {"other"}, 1, less_or_equal},
    {">", {"other"}, 1, greater},
    {"gt", {"other"}, 1, greater},
    {"greaterthan", {"other"}, 1, greater},
    {">=", {"other"}, 1, greater_or_equal},
    {"ge", {"other"}, 1, greater_or_equal},
    // Of Jinja, but not supported.
    {"escaped", {}, 0, nullptr},
    {"filter", {}, 0, nullptr},
    {"test", {}, 0, nullptr},
};

}  // namespace

const Function* find_test(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const Function& f) { return f.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace specthink::jinja
