#include "specthink/comm/fault.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <utility>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline comm {
namespace {

constexpr const char* kUsage = "RANK:PHASE[:ACTION[:COUNT]]";

constexpr std::array<std::pair<std::string_view, FaultPhase>, kNumFaultPhases> kPhases{
    {{"start", FaultPhase::start},
     {"load", FaultPhase::load},
     {"prefill", FaultPhase::prefill},
     {"decode", FaultPhase::decode},
     {"collective", FaultPhase::collective},
     {"write", FaultPhase::write}}};
constexpr std::array<std::pair<std::string_view, FaultAction>, 5> kActions{{{"throw", FaultAction::raise},
                                                                            {"kill", FaultAction::kill},
                                                                            {"stop", FaultAction::stop},
                                                                            {"hang", FaultAction::hang},
                                                                            {"count", FaultAction::count}}};

std::vector<std::string_view> split_at_colons(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

[[noreturn]] void fail(std::string_view text, std::string_view part, std::string_view expected) {
  throw UserError("{}={}: expected {} ({}), found '{}'", kFaultVariable, text, expected, kUsage, part);
}

template <typename Value, std::size_t size>
Value choose(const std::array<std::pair<std::string_view, Value>, size>& values, std::string_view text,
             std::string_view part, std::string_view expected) {
  for (const auto& [name, value] : values) {
    if (name == part) return value;
  }
  fail(text, part, expected);
}

template <typename Number>
Number parse_number(std::string_view text, std::string_view part, Number min, std::string_view expected) {
  Number number{};
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
  if (error != std::errc() || end != part.data() + part.size() || number < min) fail(text, part, expected);
  return number;
}

}  // namespace

Fault Fault::parse(std::string_view text) {
  const std::vector<std::string_view> parts = split_at_colons(text);
  if (parts.size() < 2 || parts.size() > 4) fail(text, text, "two to four parts");
  Fault fault;
  fault.text_ = text;
  fault.rank_ = parse_number(text, parts[0], 0, "a rank");
  fault.phase_ = choose(kPhases, text, parts[1], "start, load, prefill, decode, collective or write");
  if (parts.size() > 2) fault.action_ = choose(kActions, text, parts[2], "throw, kill, stop, hang or count");
  if (parts.size() > 3) fault.remaining_ = parse_number<std::uint64_t>(text, parts[3], 1, "a count of at least 1");
  return fault;
}

void Fault::reach(FaultPhase phase) {
  ++reached_[static_cast<std::size_t>(phase)];
  if (phase != phase_ || remaining_ == 0 || --remaining_ > 0) return;
  switch (action_) {
    case FaultAction::raise:
      throw EnvironmentError("failed on purpose: {}={}", kFaultVariable, text_);
    case FaultAction::kill:
      ::raise(SIGKILL);
      break;
    case FaultAction::stop:
      ::raise(SIGSTOP);
      break;
    case FaultAction::hang:
      while (true) ::pause();
    case FaultAction::count:
      break;
  }
}

std::optional<std::string> Fault::counts() const {
  if (action_ != FaultAction::count) return std::nullopt;
  std::string text;
  for (const auto& [name, phase] : kPhases) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, reached_[static_cast<std::size_t>(phase)]);
  }
  return text;
}

}  // namespace specthink::inline comm
