#include "specthink/text/stop_matcher.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "specthink/base/error.h"

namespace specthink::inline text {
namespace {

constexpr std::size_t kMaxStates = 512;
constexpr std::size_t kMaxNodes = std::size_t{1} << 16;

// A node of the trie over all strings: what has been read is the path to it, or ends in that path.
struct Node {
  std::array<std::uint32_t, 256> next{};  // 0: none, as the root is nobody's child
  std::uint32_t fail = 0;                 // the longest proper suffix of the path that is a path too
  bool matches = false;                   // a string ends here
};

[[noreturn]] void too_large() {
  throw UserError("the stop strings need more than {} states: use fewer or shorter ones", kMaxStates);
}

std::vector<Node> build_trie(std::span<const std::string> strings) {
  std::vector<Node> nodes(1);
  for (const std::string& string : strings) {
    if (string.empty()) throw UserError("a stop string is empty: it would stop everywhere");
    std::uint32_t node = 0;
    for (const char c : string) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (nodes[node].next[byte] == 0) {
        if (nodes.size() == kMaxNodes) too_large();
        nodes[node].next[byte] = static_cast<std::uint32_t>(nodes.size());
        nodes.emplace_back();
      }
      node = nodes[node].next[byte];
    }
    nodes[node].matches = true;
  }
  return nodes;
}

// Turns the trie into an automaton, breadth first: missing edges are those of the suffix.
void complete(std::vector<Node>& nodes) {
  std::vector<std::uint32_t> queue{0};
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::uint32_t node = queue[head];
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t by_suffix = node == 0 ? 0 : nodes[nodes[node].fail].next[byte];
      std::uint32_t& child = nodes[node].next[byte];
      if (child == 0) {
        child = by_suffix;
        continue;
      }
      nodes[child].fail = by_suffix;
      nodes[child].matches = nodes[child].matches || nodes[by_suffix].matches;
      queue.push_back(child);
    }
  }
}

}  // namespace

StopAutomaton::StopAutomaton(std::span<const std::string> strings) {
  std::vector<Node> nodes = build_trie(strings);
  complete(nodes);

  // A match leads back to the start, so nodes that match, and those behind them, are never states.
  constexpr std::uint32_t kNoState = UINT32_MAX;
  std::vector<std::uint32_t> state_of(nodes.size(), kNoState);
  std::vector<std::uint32_t> node_of{0};
  state_of[0] = kStart;
  for (std::size_t state = 0; state < node_of.size(); ++state) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t node = nodes[node_of[state]].next[byte];
      if (nodes[node].matches) {
        transitions_.push_back({kStart, true});
        continue;
      }
      if (state_of[node] == kNoState) {
        if (node_of.size() == kMaxStates) too_large();
        state_of[node] = static_cast<std::uint32_t>(node_of.size());
        node_of.push_back(node);
      }
      transitions_.push_back({static_cast<State>(state_of[node]), false});
    }
  }
}

StopAutomaton::Step StopAutomaton::feed(State state, std::string_view bytes) const {
  Step result{state, false};
  for (const char byte : bytes) {
    const Step next = step(result.state, static_cast<std::uint8_t>(byte));
    result = {next.state, result.matched || next.matched};
  }
  return result;
}

namespace {

std::uint16_t pack(StopAutomaton::Step step) {
  return static_cast<std::uint16_t>(step.state | (step.matched ? StopTable::kMatched : 0));
}

}  // namespace

StopTable::StopTable(const StopAutomaton& automaton, const Tokenizer& tokenizer)
    : num_states_(automaton.num_states()), vocab_size_(tokenizer.size()), entries_(num_states_ * vocab_size_) {
  // Runs from different states soon fall together: path[i] is the state before byte i of the run from the start, and
  // matched_after[i] tells whether that run matches at byte i or later.
  std::vector<StopAutomaton::State> path;
  std::vector<bool> matched_after;
  for (std::size_t token = 0; token < vocab_size_; ++token) {
    const std::string_view bytes = tokenizer.bytes(static_cast<TokenId>(token));
    path.assign(bytes.size() + 1, StopAutomaton::kStart);
    matched_after.assign(bytes.size() + 1, false);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto step = automaton.step(path[i], static_cast<std::uint8_t>(bytes[i]));
      path[i + 1] = step.state;
      matched_after[i] = step.matched;
    }
    for (std::size_t i = bytes.size(); i-- > 0;) matched_after[i] = matched_after[i] || matched_after[i + 1];

    for (std::size_t state = 0; state < num_states_; ++state) {
      StopAutomaton::Step run{static_cast<StopAutomaton::State>(state), false};
      std::size_t i = 0;
      for (; i < bytes.size() && run.state != path[i]; ++i) {
        const auto step = automaton.step(run.state, static_cast<std::uint8_t>(bytes[i]));
        run = {step.state, run.matched || step.matched};
      }
      if (i < bytes.size()) run = {path.back(), run.matched || matched_after[i]};
      entries_[state * vocab_size_ + token] = pack(run);
    }
  }
}

StopAutomaton::Step StopTable::step(StopAutomaton::State state, TokenId token) const {
  check(state < num_states_, "a state of this table");
  if (token < 0 || static_cast<std::size_t>(token) >= vocab_size_) return {state, false};
  const std::uint16_t entry = entries_[state * vocab_size_ + static_cast<std::size_t>(token)];
  return {static_cast<StopAutomaton::State>(entry & ~StopTable::kMatched), (entry & StopTable::kMatched) != 0};
}

}  // namespace specthink::inline text
