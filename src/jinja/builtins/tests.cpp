// What can follow `is`.
#include "jinja/builtins/function.h"
#include "jinja/operators.h"

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
constexpr auto kUnsupportedTests =
    unsupported("callable", "divisibleby", "escaped", "even", "filter", "lower", "odd", "sameas", "test", "upper");

}  // namespace

const Function* find_test(std::string_view name) { return find_function({kTests, kUnsupportedTests}, name); }

}  // namespace specthink::jinja
