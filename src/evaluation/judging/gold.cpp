#include "specthink/evaluation/gold.h"

#include <array>
#include <cmath>
#include <cstddef>

#include "evaluation/blanks.h"
#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

struct Dataset {
  std::string_view prefix;  // of its names
  AnswerForm form;
};

constexpr int kProChoices = 16;  // mmlu_pro has up to ten, one reference reads up to P

// The longer of two prefixes first.
constexpr std::array<Dataset, 11> kDatasets{{{"math", {}},
                                             {"aime", {}},
                                             {"amc", {}},
                                             {"gsm8k", {GoldForm::hashes, 0}},
                                             {"minerva", {GoldForm::boxed, 0}},
                                             {"numina", {GoldForm::boxed, 0}},
                                             {"olympiadbench", {GoldForm::list, 0}},
                                             {"mmlu_pro", {GoldForm::letter, kProChoices}},
                                             {"mmlu", {GoldForm::index, 4}},
                                             {"gpqa", {GoldForm::letter, 4}},
                                             {"arc", {GoldForm::letter, 4}}}};

[[noreturn]] void fail(std::string_view source, const char* expected, const Json& found) {
  throw UserError("{}: expected {}, found {}", source, expected, excerpt(found));
}

const std::string& text_of(const Json& stored, const char* expected, std::string_view source) {
  if (!stored.is_string()) fail(source, expected, stored);
  return stored.get_ref<const std::string&>();
}

std::string plain(const Json& stored, std::string_view source) {
  if (stored.is_string()) return stored.get<std::string>();
  if (stored.is_number_float()) {
    const double value = stored.get<double>();
    if (std::floor(value) == value && std::abs(value) < 1e15) return std::to_string(static_cast<long long>(value));
  }
  if (stored.is_number()) return stored.dump();
  fail(source, "an answer as a string or a number", stored);
}

std::string letter(long long index, int num_choices, std::string_view source, const Json& stored) {
  if (index < 0 || index >= num_choices) {
    fail(source, num_choices == 4 ? "one of four options" : "an option from A to P", stored);
  }
  return std::string(1, static_cast<char>('A' + index));
}

}  // namespace

std::optional<AnswerForm> answer_form_of(std::string_view dataset) {
  for (const Dataset& known : kDatasets) {
    if (dataset.starts_with(known.prefix)) return known.form;
  }
  return std::nullopt;
}

std::string known_datasets() {
  std::string names;
  for (const Dataset& known : kDatasets) names.append(names.empty() ? "" : ", ").append(known.prefix);
  return names;
}

std::string known_answer(const Json& stored, const AnswerForm& form, std::string_view source) {
  switch (form.gold) {
    case GoldForm::plain:
      return plain(stored, source);
    case GoldForm::boxed: {
      const auto box = last_boxed(text_of(stored, "a solution with its answer in \\boxed{}", source));
      if (!box) fail(source, "a solution with its answer in \\boxed{}", stored);
      return *box;
    }
    case GoldForm::hashes: {
      const std::string& solution = text_of(stored, "a solution with its answer behind ####", source);
      const std::size_t at = solution.rfind("####");
      if (at == std::string::npos) fail(source, "a solution with its answer behind ####", stored);
      return std::string(trim(std::string_view(solution).substr(at + 4)));
    }
    case GoldForm::list: {
      if (!stored.is_array()) return plain(stored, source);
      std::string all;
      for (const Json& item : stored) all.append(all.empty() ? "" : ", ").append(plain(item, source));
      if (all.empty()) fail(source, "a list of answers", stored);
      return all;
    }
    case GoldForm::index:
      if (stored.is_number_integer()) return letter(stored.get<long long>(), form.num_choices, source, stored);
      break;
    case GoldForm::letter:
      break;
  }
  const std::string text = plain(stored, source);
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '9')
    return letter(text[0] - '1', form.num_choices, source, stored);
  if (text.size() != 1) fail(source, "the letter of an option", stored);
  return letter(text[0] - 'A', form.num_choices, source, stored);
}

}  // namespace specthink::inline evaluation
