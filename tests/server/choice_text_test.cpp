// Stop texts and thoughts in text that comes in pieces.
#include "server/answer/choice_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace specthink {
namespace {

struct Seen {
  std::string thought;
  std::string answer;
  std::string origins;  // a letter for each byte: d, t, i
};

/// The text in pieces of `size` bytes, written by draft and target in turns.
Seen read(const std::string& text, std::size_t size, ChoiceText::Options options, ChoiceText* out = nullptr) {
  ChoiceText choice(std::move(options));
  Seen seen;
  const auto note = [&](const std::vector<Delta>& deltas) {
    for (const Delta& delta : deltas) {
      EXPECT_FALSE(delta.text.empty());
      (delta.is_thought ? seen.thought : seen.answer) += delta.text;
      seen.origins += std::string(delta.text.size(), "dti"[static_cast<int>(delta.origin)]);
    }
  };
  bool target = false;
  for (std::size_t begin = 0; begin < text.size(); begin += size, target = !target) {
    note(choice.push(TextPiece{text.substr(begin, size), target ? Origin::target : Origin::draft}));
  }
  note(choice.finish());
  if (out) *out = std::move(choice);
  return seen;
}

ChoiceText::Options stops(std::vector<std::string> stop) {
  ChoiceText::Options options;
  options.stop = std::move(stop);
  return options;
}

TEST(choice_text, stops_wherever_the_pieces_fall) {
  const std::string text = "one two three. And then four";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    ChoiceText choice({});
    EXPECT_EQ(read(text, size, stops({". And"}), &choice).answer, "one two three");
    EXPECT_EQ(choice.stopped_by(), ". And");
    EXPECT_EQ(read(text, size, stops({"four"})).answer, "one two three. And then ");
    EXPECT_EQ(read(text, size, stops({"o"})).answer, "");
    EXPECT_EQ(read(text, size, stops({"five", "fourth"}), &choice).answer, text);
    EXPECT_EQ(choice.stopped_by(), std::nullopt);
  }
}

// A beginning that comes to nothing is the beginning of another one.
TEST(choice_text, overlapping_beginnings) {
  for (std::size_t size = 1; size <= 8; ++size) {
    EXPECT_EQ(read("aaaaab", size, stops({"aab"})).answer, "aaa");
    EXPECT_EQ(read("ababac!", size, stops({"abac"})).answer, "ab");
    EXPECT_EQ(read("abcabd", size, stops({"abcabc", "bd"})).answer, "abca");
  }
}

// Of several that a piece completes, the first one of the list counts, as in vLLM.
TEST(choice_text, the_order_of_the_list_decides) {
  EXPECT_EQ(read("x one two y", 11, stops({"two", "one"})).answer, "x one ");
  EXPECT_EQ(read("x one two y", 1, stops({"two", "one"})).answer, "x ");
}

TEST(choice_text, keeps_who_wrote_what) {
  EXPECT_EQ(read("abcdef", 2, stops({})).origins, "ddttdd");
  EXPECT_EQ(read("abcdef", 2, stops({"cdx"})).origins, "ddttdd");
  EXPECT_EQ(read("abcdef", 2, stops({"de"})).origins, "ddt");
}

TEST(choice_text, thoughts_stand_apart) {
  ChoiceText::Options options;
  options.splits_thoughts = true;
  for (std::size_t size = 1; size <= 30; ++size) {
    const Seen seen = read("<think>\nhm </thin> ok\n</think>\n\n42 <think>", size, options);
    EXPECT_EQ(seen.thought, "\nhm </thin> ok\n");
    EXPECT_EQ(seen.answer, "\n\n42 <think>");
    EXPECT_EQ(read("\n <think>a", size, options).thought, "a");
    EXPECT_EQ(read("<thinks", size, options).answer, "<thinks");
    EXPECT_EQ(read("  <thi", size, options).answer, "  <thi");
    EXPECT_EQ(read("no thought</think>", size, options).answer, "no thought</think>");
    EXPECT_EQ(read("<think>open </th", size, options).thought, "open </th");
  }
  options.begins_in_thought = true;
  for (std::size_t size = 1; size <= 30; ++size) {
    const Seen seen = read("hm</think>42", size, options);
    EXPECT_EQ(seen.thought + "|" + seen.answer, "hm|42");
  }
}

TEST(choice_text, a_stop_text_in_a_thought) {
  ChoiceText::Options options = stops({"wait"});
  options.splits_thoughts = true;
  const Seen seen = read("<think>so, wait</think>42", 3, options);
  EXPECT_EQ(seen.thought, "so, ");
  EXPECT_EQ(seen.answer, "");
}

}  // namespace
}  // namespace specthink
