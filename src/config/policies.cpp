#include "specthink/config/policies.h"

#include <algorithm>
#include <map>
#include <string>

#include "specthink/base/error.h"

namespace specthink::inline config {
namespace {

/// What belongs to some policies alone.
const std::map<std::string, std::vector<Policy>, std::less<>>& policies_by_key() {
  using enum Policy;
  static const std::map<std::string, std::vector<Policy>, std::less<>> table{
      {"TRIGGER_TOKENS", {sentiment, random}},
      {"TARGET_VALIDATION_KEYWORDS", {sentiment}},
      {"help_think_word", {sentiment}},
      {"help_recap_words", {sentiment}},
      {"not_reasoning", {sentiment}},
      {"choose_large", {sentiment}},
      {"max_target_tokens", {sentiment}},
      {"begin", {sentiment}},
      {"begin_token_num", {sentiment}},
      {"original_recap_token_num", {sentiment, random}},
      {"recap_after_negative_num", {sentiment}},
      {"add_each_recap", {sentiment}},
      {"add_each_neg", {sentiment}},
      {"max_recap_token_num", {sentiment}},
      {"max_negative_num", {sentiment}},
      {"cues", {relay}},
      {"answer_by", {relay, score, step_entropy}},
      {"score_threshold", {score}},
      {"score_method", {score}},
      {"score_question", {score}},
      {"score_answer_start", {score}},
      {"first_steps_by_target", {score}},
      {"entropy_threshold", {step_entropy, token_entropy}},
      {"target_rate", {random}},
      {"match_share", {random}},
  };
  return table;
}

}  // namespace

const char* name_of(Policy policy) {
  using enum Policy;
  switch (policy) {
    case sentiment:
      return "sentiment";
    case relay:
      return "relay";
    case score:
      return "score";
    case step_entropy:
      return "step_entropy";
    case token_entropy:
      return "token_entropy";
    case random:
      return "random";
    case target:
      return "target";
    case draft:
      return "draft";
  }
  throw InternalError("unknown policy");
}

std::optional<Policy> find_policy(std::string_view name) {
  const auto found = std::ranges::find_if(kPolicies, [&](Policy policy) { return name == name_of(policy); });
  return found == kPolicies.end() ? std::nullopt : std::optional(*found);
}

std::vector<Policy> policies_of_key(std::string_view key) {
  const auto found = policies_by_key().find(key);
  return found == policies_by_key().end() ? std::vector<Policy>() : found->second;
}

bool uses_key(Policy policy, std::string_view key) {
  const std::vector<Policy> users = policies_of_key(key);
  return users.empty() || std::ranges::find(users, policy) != users.end();
}

std::vector<Policy> chosen_policies(const Settings& settings) {
  if (!settings.bench.policies.empty()) return settings.bench.policies;
  return {settings.schedule.policy};
}

const std::vector<std::string>* find_cues(std::string_view name) {
  static const std::vector<std::string> qwen3{
      "Oh,",        "another,",     "Thus",          "Now",        "Alternatively", "alternatively,", "Thus,",
      "Therefore",  "similarly",    "similarly,",    "now",        "Again",         "specifically,",  "Again,",
      "Similarly,", "Now,",         "Specifically,", "Hence",      "Similarly",     "Other",          "now,",
      "hence",      "Specifically", "So ",           "Therefore,", "Wait,",         "Also",           "So,"};
  static const std::vector<std::string> r1{"Wait",       "Thus",   "thus",          "similarly",      "Again,", "Now",
                                           "Therefore",  "hence",  "Hence,",        "Now,",           "Thus,",  "Oh,",
                                           "Similarly,", "Any",    "Therefore,",    "Alternatively,", "now,",   "So,",
                                           "now",        "verify", "Specifically,", "Alternatively",  "Ah,",    "wait",
                                           "So "};
  if (name == "qwen3") return &qwen3;
  if (name == "r1") return &r1;
  return nullptr;
}

}  // namespace specthink::inline config
