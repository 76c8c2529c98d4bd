// Finding trigger strings in generated tokens, exactly, wherever token boundaries fall.
//
// The automaton reads bytes (Aho-Corasick over all strings). A match sets it back to the start, so matches do not
// overlap. Compiled with a vocabulary it becomes one table look-up per token, which also runs on the device.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/types.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline text {

class StopAutomaton {
 public:
  using State = std::uint16_t;
  static constexpr State kStart = 0;

  struct Step {
    State state = kStart;
    bool matched = false;  ///< a string ended at (feed: anywhere in) what was read
  };

  /// Throws UserError when `strings` holds an empty string or needs more than 512 states.
  explicit StopAutomaton(std::span<const std::string> strings);

  Step step(State state, std::uint8_t byte) const { return transitions_[state * 256u + byte]; }
  Step feed(State state, std::string_view bytes) const;
  std::size_t num_states() const { return transitions_.size() / 256; }

 private:
  std::vector<Step> transitions_;  // [num_states, 256]
};

/// entry(state, token): the automaton run over the token's bytes. Special tokens have no bytes: they keep the state.
class StopTable {
 public:
  StopTable(const StopAutomaton& automaton, const Tokenizer& tokenizer);

  StopAutomaton::Step step(StopAutomaton::State state, TokenId token) const;

  static constexpr std::uint16_t kMatched = 0x8000;  ///< bit of an entry: a trigger is complete

  /// [num_states, vocab_size]: next state, and kMatched. This is what workers get.
  std::span<const std::uint16_t> entries() const { return entries_; }
  std::size_t num_states() const { return num_states_; }
  std::size_t vocab_size() const { return vocab_size_; }

 private:
  std::size_t num_states_;
  std::size_t vocab_size_;
  std::vector<std::uint16_t> entries_;
};

}  // namespace specthink::inline text
