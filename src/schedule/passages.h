// What the loops of the policies share: passages that stay, and the strings that end them.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "schedule/run_state.h"

namespace specthink::inline schedule {

/// Text that a model wrote for good. True when an EOS in it ends the run, which is then finished.
bool keep_passage(RunState& run, const RunState::Reply& reply);

/// The same of the target's, with its entry in the log. `draft_text`: what it replaces. `nominal`: the tokens that the
/// settings give it; 0: as many as there are.
bool keep_takeover(RunState& run, const RunState::Reply& reply, std::optional<std::string> draft_text = std::nullopt,
                   int nominal = 0);

/// Asks for the text behind the thinking, by the model that answer_by names. `last_writer`: of the thinking.
[[nodiscard]] RunState::Answer ask_for_answer(RunState& run, Role last_writer);

/// Keeps the text behind the thinking and finishes the run.
void finish_with_answer(RunState& run, const RunState::Reply& reply);

/// The string that the last of `ids` completes, quoted; the longest of those that end first in it. Empty: none does.
std::string completed_string(std::span<const std::string> strings, std::span<const TokenId> ids,
                             const Tokenizer& tokenizer);

/// "1.31"
std::string two_decimals(double value);

}  // namespace specthink::inline schedule
