// The runs of result files in one form, whichever command wrote them: what a report is made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "specthink/report/jsonl.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline report {

/// Who wrote a part of a text, as a report tells them apart.
enum class Writer : std::uint8_t {
  prompt = 0,  ///< quoted in front of the answer, as the original's files have it
  draft = 1,
  target = 2,
  injected = 3,
  unknown = 4,  ///< the file does not say
};

struct SeriesProblem {
  Json id;
  std::string text;
  std::optional<std::string> answer;
};

/// What a file does not say stays empty.
struct SeriesRun {
  std::size_t problem = 0;  ///< of ResultSeries::problems
  std::size_t run = 0;
  std::optional<double> seconds;
  std::int64_t tokens = 0;  ///< generated
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> nominal_target_tokens;
  std::optional<Ledger> ledger;
  std::optional<std::int64_t> validations;
  std::optional<std::int64_t> takeovers;
  std::string finish_reason;
  std::optional<bool> correct;
  std::optional<std::string> answer;
  std::string text;
  std::vector<Segment> segments;
  Json log = Json::array();      ///< {pos, token_num, traget, speculative?}: passages of the target
  Json origins = Json::array();  ///< [WRITER, characters] in order (report/text_origins.h)

  /// Tokens that the target wrote: real ones where a ledger counts them, else nominal.
  std::optional<double> target_tokens() const;
};

enum class SystemKind : std::uint8_t { target, speculative, draft };

/// One system on the problems of one task, at one temperature.
struct ResultSeries {
  std::string name;
  std::filesystem::path source;
  SystemKind kind = SystemKind::speculative;
  std::string task;  ///< empty: the file does not say
  std::optional<double> temperature;
  std::string timestamp;
  Json settings = Json::object();
  std::vector<SeriesProblem> problems;
  std::vector<SeriesRun> runs;
};

/// The series of a result file or run log of bench, of a result file of eval, or of a result file of replay; those of
/// the original program as well. What the run log beside a result file knows more (segments, passages of the target) is
/// added. Throws UserError that names file, run and key, and for a file that is none of these.
std::vector<ResultSeries> read_series(const std::filesystem::path& path);

}  // namespace specthink::inline report
