// A text, a line "%%" and the known answer: finding the answer in any text and comparing it with any other.
#include "specthink/evaluation/answer.h"

#include "fuzz/input.h"
#include "specthink/base/log.h"

using namespace specthink;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  spdlog::set_level(spdlog::level::off);  // a warning an input
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [text, expected] = fuzz::halves_of(fuzz::text_of(data, size));
  for (const AnswerRule& rule : {AnswerRule(), AnswerRule::choice(5)}) {
    const std::optional<std::string> found = rule.find(text);
    if (!found) continue;
    const std::optional<bool> verdict = rule.compare(*found, expected);
    check(rule.compare(*found, expected) == verdict, "a verdict is the same each time");
  }
  static_cast<void>(same_answer(text, expected));
  return 0;
}
