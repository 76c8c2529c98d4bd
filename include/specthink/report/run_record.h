// One finished run of a benchmark: what the result files and the run log say of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/config/settings.h"
#include "specthink/report/jsonl.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline report {

/// A way to solve the problems; one column of the comparison.
enum class RunMode : std::uint8_t {
  large = 0,       ///< the target alone
  spec = 1,        ///< speculative thinking
  draft = 2,       ///< the draft alone
  large_spec = 3,  ///< the target alone, with token-level speculation
};

/// The key of a mode in result files and the beginning of their names: large_model, speculative_thinking, draft_model,
/// large_model_token_speculation.
const char* name_of(RunMode mode);

/// The mode of that name; null when there is none.
std::optional<RunMode> find_run_mode(std::string_view name);

/// In the order in which they run and are printed. With token-level speculation, which changes times and not texts, a
/// comparison has the target alone without and with it, so that its gain is not taken for that of speculative thinking.
std::vector<RunMode> run_modes(TestMode test_mode, bool token_speculation = false);

constexpr bool is_target_alone(RunMode mode) { return mode == RunMode::large || mode == RunMode::large_spec; }

/// The name of a file set: that of its only mode, or `speedup` for a comparison.
const char* file_kind(const std::vector<RunMode>& modes);

/// Which run: `problem` and `run` count from 0.
struct RunKey {
  RunMode mode = RunMode::large;
  std::size_t problem = 0;
  std::size_t run = 0;

  auto operator<=>(const RunKey&) const = default;
};

/// What came out of one run, from whoever executes it.
struct RunOutcome {
  RunResult result;
  std::size_t prompt_tokens = 0;
  double latency = 0;           ///< seconds
  Json extra = Json::object();  ///< more keys for the files, such as the time per step
};

/// A run as the files have it. Everything printed and written is computed from records, so that a resumed benchmark
/// and one without interruption cannot differ.
struct RunRecord {
  RunKey key;
  double latency = 0;                   ///< seconds
  std::int64_t num_tokens = 0;          ///< generated
  double throughput = 0;                ///< tokens a second; 0 for a run without duration
  std::int64_t large_model_tokens = 0;  ///< nominal, as the original counts them; written for mode spec
  double large_model_ratio = 0;         ///< of num_tokens; 1 in mode large
  std::int64_t num_validations = 0;     ///< written for mode spec
  std::string generated_text;
  std::int64_t prompt_tokens = 0;
  std::string finish_reason;
  std::int64_t takeovers = 0;  ///< passages of the target that stayed; written for mode spec
  Ledger ledger;
  std::optional<std::string> answer;  ///< found in the text
  std::optional<bool> correct;        ///< without a value where the task has no answers
  Json extra = Json::object();

  Json segments = Json::array();        ///< the trace
  Json correct_tokens = Json::array();  ///< the schedule's log: {pos, token_num, traget, speculative?}

  bool is_finished() const;  ///< false for a run that a signal cut off; it is done again on resume
};

/// Everything of a run but whether its answer is right.
RunRecord make_record(const RunKey& key, const RunOutcome& outcome);

/// The run in a result file: the original's keys first and in its order, then ours, without trace and log.
OrderedJson result_json(const RunRecord& record);

/// The run's line in the run log: also a trace (report/trace.h), with the result file's keys, mode and log added.
OrderedJson log_json(const RunRecord& record);

/// Reads a line of the run log. Throws UserError that begins with `source` for a missing key or a wrong type.
RunRecord parse_record(const Json& object, std::string_view source);

}  // namespace specthink::inline report
