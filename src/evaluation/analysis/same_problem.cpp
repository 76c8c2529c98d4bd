#include "evaluation/analysis/same_problem.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "evaluation/blanks.h"

namespace specthink::inline evaluation {
namespace {

// Two editions of AIME25 have 0.84 to 1 in common, different problems up to 0.5, variants of one problem up to 0.91.
constexpr double kSame = 0.8;
constexpr double kMargin = 0.2;

using Words = std::map<std::string, int>;

// Words in lower case and single digits, counted.
Words words_of(std::string_view text) {
  Words words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) ++words[word];
    word.clear();
  };
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower >= 'a' && lower <= 'z') {
      word += lower;
      continue;
    }
    end_word();
    if (c >= '0' && c <= '9') ++words[std::string(1, c)];
  }
  end_word();
  return words;
}

// The coefficient of Dice: 1 for the same words.
double likeness(const Words& a, const Words& b) {
  int shared = 0;
  int all = 0;
  for (const auto& [word, count] : a) {
    all += count;
    const auto found = b.find(word);
    if (found != b.end()) shared += std::min(count, found->second);
  }
  for (const auto& [word, count] : b) all += count;
  return all == 0 ? 0 : 2.0 * shared / all;
}

}  // namespace

const Problem* find_same_problem(const std::string& text, const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    if (trim(problem.problem) == trim(text)) return &problem;
  }
  const Words words = words_of(text);
  const Problem* best = nullptr;
  double most = 0;
  double second = 0;
  for (const Problem& problem : problems) {
    const double like = likeness(words, words_of(problem.problem));
    if (like > most) {
      second = most;
      most = like;
      best = &problem;
    } else {
      second = std::max(second, like);
    }
  }
  return most >= kSame && most - second >= kMargin ? best : nullptr;
}

}  // namespace specthink::inline evaluation
