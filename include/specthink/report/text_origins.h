// Which part of a run's text was written by whom.
#pragma once

#include <string>
#include <vector>

#include "specthink/report/series.h"

namespace specthink::inline report {

struct WrittenPiece {
  Writer writer = Writer::unknown;
  std::string text;
};

/// The run's text in pieces, in order. From `origins` where the run has them: lists [draft|target|injected,
/// characters]; what lies before the first of them is the prompt. Else from the target's passages in the log, which are
/// looked for one after the other. Else, for one model alone, all is its own.
std::vector<WrittenPiece> text_pieces(const SeriesRun& run, SystemKind kind);

}  // namespace specthink::inline report
