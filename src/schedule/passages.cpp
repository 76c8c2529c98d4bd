#include "schedule/passages.h"

#include <fmt/format.h>

#include <utility>

#include "specthink/config/yaml.h"

namespace specthink::inline schedule {

bool keep_passage(RunState& run, const RunState::Reply& reply) {
  run.append(reply.ids, Origin::draft);
  if (!run.has_eos(reply)) return false;
  run.finish(FinishReason::stop);
  return true;
}

bool keep_takeover(RunState& run, const RunState::Reply& reply, std::optional<std::string> draft_text, int nominal) {
  const auto length = static_cast<int>(reply.ids.size());
  run.count_validation();
  run.log({run.generated(), length, run.decode(reply.ids), std::move(draft_text)});
  run.count_nominal(nominal > 0 ? nominal : length);
  run.append(reply.ids, Origin::target);
  if (!run.has_eos(reply)) return false;
  run.finish(FinishReason::stop);
  return true;
}

RunState::Answer ask_for_answer(RunState& run, Role last_writer) {
  const Role writer = run.settings().answer_by;
  if (writer != last_writer) run.hand_over("answer");
  return run.ask_in_time({.purpose = writer == Role::target ? Purpose::takeover : Purpose::segment});
}

void finish_with_answer(RunState& run, const RunState::Reply& reply) {
  const bool by_target = run.settings().answer_by == Role::target;
  if (by_target ? keep_takeover(run, reply) : keep_passage(run, reply)) return;
  run.finish(FinishReason::length);
}

std::string completed_string(std::span<const std::string> strings, std::span<const TokenId> ids,
                             const Tokenizer& tokenizer) {
  std::string bytes;
  for (const TokenId id : ids.first(ids.size() - 1)) bytes += tokenizer.bytes(id);
  for (const char byte : tokenizer.bytes(ids.back())) {
    bytes += byte;
    const std::string* longest = nullptr;
    for (const std::string& string : strings) {
      if (bytes.ends_with(string) && (!longest || string.size() > longest->size())) longest = &string;
    }
    if (longest) return quote(*longest);
  }
  return "";
}

std::string two_decimals(double value) { return fmt::format("{:.2f}", value); }

}  // namespace specthink::inline schedule
