// Thoughts that reflect: those with a negative or a verify word of the schedule.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/report/series.h"

namespace specthink::inline evaluation {

/// The words and triggers that the settings of a result file name, else those of the original.
struct ReflectionWords {
  std::vector<std::string> words;  ///< negative and verify words, in lower case
  std::vector<std::string> triggers;

  static ReflectionWords of(const Json& settings);
};

struct Thoughts {
  std::size_t all = 0;
  std::size_t reflective = 0;
};

/// The answer without a chat prompt that the original's files have in front of it.
std::string_view answer_part(std::string_view text);

/// The thoughts of a text: what lies between two triggers, blank ones left out.
Thoughts count_thoughts(std::string_view text, const ReflectionWords& words);

/// Counts the tokens right before each reflection word (whole words, in any case).
void count_tokens_before(std::string_view text, const ReflectionWords& words,
                         std::map<std::string, std::size_t>& counts);

}  // namespace specthink::inline evaluation
