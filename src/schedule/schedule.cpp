#include "specthink/schedule/schedule.h"

#include <algorithm>
#include <array>
#include <utility>

#include "schedule/loops.h"
#include "specthink/base/error.h"

namespace specthink::inline schedule {
namespace {

using Loop = Script (*)(RunState&);

/// A loop over the state of its run.
class ScriptedSchedule final : public Schedule {
 public:
  ScriptedSchedule(RunSetup setup, int limit, Loop loop) : run_(std::move(setup), limit), script_(loop(run_)) {
    proceed();
  }

  const Request* request() const override { return run_.request(); }

  void resume(std::span<const TokenId> ids, EndReason reason, const Measured& measured) override {
    run_.answer(ids, reason, measured);
    proceed();
  }

  void interrupt() override { run_.finish(FinishReason::interrupted); }

  std::span<const TokenId> settled_ids() const override { return run_.settled_ids(); }
  std::span<const Origin> settled_origins() const override { return run_.settled_origins(); }
  std::span<const float> settled_logprobs() const override { return run_.settled_logprobs(); }

  std::span<const TextPiece> settled_text() const override { return run_.text(); }

  RunResult result() const override {
    RunResult result = run_.result();
    const RunSetup& setup = run_.setup();
    if (setup.settings.mode == Mode::vllm_p && !setup.normal_mode) {
      result.text = setup.prompt_text;
      for (const TextPiece& piece : run_.text()) result.text += piece.text;
    } else if (setup.tokenizer != nullptr) {
      const bool with_prompt = uses_original_loop(setup.settings) && !setup.normal_mode;
      result.text = run_.decode(with_prompt ? run_.ids() : std::span<const TokenId>(result.ids));
    }
    return result;
  }

 private:
  void proceed() {
    script_.resume();
    check(run_.finished() || (run_.request() != nullptr && !script_.done()), "a loop asks or ends");
  }

  RunState run_;
  Script script_;
};

/// What each policy works with is there.
void check_tables(const RunSetup& setup) {
  switch (setup.settings.policy) {
    case Policy::sentiment:
      return check(setup.triggers != nullptr, "a run with a draft has a trigger table");
    case Policy::random:
      check(setup.settings.target_rate.has_value(), "policy random has a target_rate");
      return check(setup.triggers != nullptr, "policy random has a trigger table");
    case Policy::relay:
      return check(setup.cues && setup.sentence_ends, "policy relay has tables of cues and sentence ends");
    case Policy::score:
      check(!setup.question.empty() && setup.digits.size() == 10, "policy score has a question and the ten digits");
      return check(setup.step_ends != nullptr, "policy score has a table of step ends");
    case Policy::step_entropy:
      return check(setup.step_ends != nullptr, "policy step_entropy has a table of step ends");
    case Policy::token_entropy:
    case Policy::target:
    case Policy::draft:
      return;
  }
}

Loop loop_of(Policy policy) {
  switch (policy) {
    case Policy::sentiment:
      return fixed_loop;
    case Policy::relay:
      return relay_loop;
    case Policy::score:
      return score_loop;
    case Policy::step_entropy:
      return step_entropy_loop;
    case Policy::token_entropy:
      return token_entropy_loop;
    case Policy::random:
      return random_loop;
    case Policy::target:
    case Policy::draft:
      return alone_loop;
  }
  throw InternalError("unknown policy");
}

void check_setup(const RunSetup& setup) {
  if (setup.prompt.empty()) throw UserError("the prompt has no tokens: give at least one to continue from");
  if (std::cmp_greater_equal(setup.prompt.size(), setup.max_model_len)) {
    throw UserError(
        "the prompt has {} tokens, but prompt and answer together may have {} (--max-model-len, or a model's smaller "
        "max_position_embeddings): shorten the prompt or raise --max-model-len",
        setup.prompt.size(), setup.max_model_len);
  }
  if (setup.settings.thinking_budget > 0 && !(setup.tokenizer && setup.tokenizer->token_id("</think>"))) {
    throw UserError(
        "thinking_budget: the target's tokenizer has no token </think>, so that nothing tells where the thinking ends; "
        "leave it out");
  }
  if (setup.normal_mode) return;
  if (setup.tokenizer == nullptr) {
    throw UserError(
        "no tokenizer: the thinking schedule reads the text that the models write, so the target folder needs a "
        "tokenizer.json; add it, or run the target alone without a draft");
  }
  check_tables(setup);
  check(setup.settings.mode != Mode::vllm_p || setup.draft_tokenizer, "mode vllm_p has two tokenizers");
}

}  // namespace

bool uses_original_loop(const ScheduleSettings& settings) {
  return settings.compat == Compat::original || settings.mode != Mode::vllm;
}

std::span<const std::string> sentence_end_strings() {
  static const std::array<std::string, 4> strings{".", "!", "?", "\n\n"};
  return strings;
}

std::span<const std::string> step_end_strings() {
  static const std::array<std::string, 1> strings{"\n\n"};
  return strings;
}

bool stops_at_triggers(Policy policy) { return policy == Policy::sentiment || policy == Policy::random; }

double entropy_limit(const ScheduleSettings& settings) {
  constexpr double kOfTokens = 0.45;
  constexpr double kOfSteps = 1;
  return settings.entropy_threshold.value_or(settings.policy == Policy::step_entropy ? kOfSteps : kOfTokens);
}

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::time_out:
      return "time_out";
    case FinishReason::interrupted:
      return "interrupted";
  }
  return "unknown";
}

std::unique_ptr<Schedule> make_schedule(RunSetup setup) {
  check_setup(setup);
  const ScheduleSettings& settings = setup.settings;
  const int room = setup.max_model_len - static_cast<int>(setup.prompt.size());
  if (setup.normal_mode) {
    const int limit = std::min(room, settings.compat == Compat::original ? original_limit(setup) : setup.max_tokens);
    return std::make_unique<ScriptedSchedule>(std::move(setup), limit, normal_loop);
  }
  const Policy policy = settings.policy;
  check(policy == Policy::sentiment || !uses_original_loop(settings), "only policy sentiment has the original loop");
  if (!uses_original_loop(settings)) {
    const int limit = std::min(room, setup.max_tokens);
    return std::make_unique<ScriptedSchedule>(std::move(setup), limit, loop_of(policy));
  }
  // The original loop has a limit of its own, which its last step may pass; no request leaves the context. In mode
  // vllm_p each request is held to that by itself, as its ids are not those that are counted.
  constexpr int kNoLimit = 1 << 30;
  const int limit = settings.mode == Mode::vllm_p ? kNoLimit : room;
  return std::make_unique<ScriptedSchedule>(std::move(setup), limit, original_loop);
}

}  // namespace specthink::inline schedule
