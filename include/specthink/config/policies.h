// The policies by name, and which settings each of them uses.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "specthink/config/settings.h"

namespace specthink::inline config {

inline constexpr std::array kPolicies{Policy::sentiment,     Policy::relay,  Policy::score,  Policy::step_entropy,
                                      Policy::token_entropy, Policy::random, Policy::target, Policy::draft};

const char* name_of(Policy policy);
std::optional<Policy> find_policy(std::string_view name);

/// Whether the policy uses the setting of this YAML key; one that belongs to no policy is of use to all.
bool uses_key(Policy policy, std::string_view key);

/// Those that use the setting; empty: it belongs to no policy.
std::vector<Policy> policies_of_key(std::string_view key);

/// The policies of a benchmark: `policies`, or the one `policy`.
std::vector<Policy> chosen_policies(const Settings& settings);

/// The cue lists of the paper (arXiv 2602.06454) by name: qwen3, r1; null for another name.
const std::vector<std::string>* find_cues(std::string_view name);

}  // namespace specthink::inline config
