// The trace of a run: who worked for how many tokens, in order. One JSON object a line:
// {problem, run, prompt_tokens, completion_tokens,
//  segments: [{by, tokens, start_ms?, ms?, kept?, why?, steps?, proposals?: {PROPOSER: [proposed, accepted]}}]}.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "specthink/report/jsonl.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline report {

struct Trace {
  int problem = 0;  ///< index in the task, from 0
  int run = 0;
  int prompt_tokens = 0;
  int completion_tokens = 0;
  std::vector<Segment> segments;
};

/// Keys that say nothing are left out.
Json to_json(const Segment& segment);

OrderedJson to_json(const Trace& trace);

/// Reads the object of one line; keys that it does not know are left alone. `source` names the line in errors.
/// Throws UserError for a missing key, a wrong type, a negative or absurd count, an unknown `by`.
Trace parse_trace(const Json& object, std::string_view source);

/// Throws UserError that begins with `source` for a trace that is of no use to the caller.
using TraceCheck = std::function<void(const Trace& trace, std::string_view source)>;

/// The traces of a file. A line with the key `format` describes the file and is skipped, so that the run log of a
/// benchmark is a trace file as well. Throws UserError that names the line, also when there is no trace in it.
std::vector<Trace> read_traces(const std::filesystem::path& path, const TraceCheck& check = {});

}  // namespace specthink::inline report
