// What a short piece of text says about the thought before it: reflection, confidence, or nothing.
#pragma once

#include <string>
#include <string_view>

#include "specthink/config/settings.h"

namespace specthink::inline schedule {

struct Thought {
  std::string text;
  int sentiment = 0;         ///< 1: positive words prevail; -1: negative and verify words, or a tie; 0: no such words
  bool asks_verify = false;  ///< contains a verify word
  std::string rule{};        ///< positive "yes", negative "wait": the sentiment, and its first word; empty with none
  std::string verify{};      ///< the first verify word, quoted
};

/// Judges `text` by the word lists of the settings: substrings of the lower-cased text, counted without overlap.
Thought judge(std::string text, const ScheduleSettings& settings);

/// Whether the target's answer stays rather than the draft's probe that it was asked about.
bool keeps_answer(const Thought& probe, const Thought& answer, const ScheduleSettings& settings);

/// Non-overlapping occurrences of `word` in `text`, found from the left.
int count_occurrences(std::string_view text, std::string_view word);

}  // namespace specthink::inline schedule
