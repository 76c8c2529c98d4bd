// Single steps of a tokenizer.json against those of the reference library.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "text/pipeline/decoder.h"
#include "text/pipeline/normalizer.h"
#include "text/pipeline/pre_tokenizer.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

Json result_of(const std::string& kind, const JsonView& step, const Json& input) {
  if (kind == "normalizer") return Normalizer(step).apply(input.get<std::string>());
  if (kind == "decoder") return Decoder(step).decode(input.get<std::vector<std::string>>());
  Json pieces = Json::array();
  PreTokenizer(step).split(input.get<std::string>(), /*at_start=*/true,
                           [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

TEST(steps, of_the_reference_library) {
  std::size_t checked = 0;
  for (const Json& line : testing::read_lines(testing::fixtures() / "steps.jsonl")) {
    const auto kind = line.at("kind").get<std::string>();
    for (const Json& item : line.at("cases")) {
      const JsonView step(line.at("step"), "steps.jsonl", "step");
      EXPECT_EQ(result_of(kind, step, item[0]), item[1]) << line.at("step") << " " << item[0];
      ++checked;
    }
  }
  fmt::print("checked {} cases\n", checked);
  EXPECT_GT(checked, 500u);
}

TEST(steps, what_has_no_meaning_here_is_named) {
  const auto fails = [](const char* kind, const Json& step, const char* expected) {
    EXPECT_NE(testing::user_error([&] { result_of(kind, JsonView(step, "t.json", kind), ""); }).find(expected),
              std::string::npos)
        << step;
  };
  fails("pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}, "from 1, found 0");
  fails("pre_tokenizer", {{"type", "FixedLength"}, {"length", -3}}, "found -3");
  fails("normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", ""}}, "'Precompiled', which is not supported");
  fails("normalizer", {{"type", "BertNormalizer"}, {"clean_text", 1}}, "lowercase");
  fails("decoder", {{"type", "CTC"}, {"pad_token", "<pad>"}}, "'CTC', which is not supported");
}

}  // namespace
}  // namespace specthink
