// Whether a run found the right answer.
#pragma once

#include "specthink/evaluation/answer.h"
#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// Finds the answer in the record's text and compares it with the problem's, when that has one.
void judge(RunRecord& record, const Problem& problem, const AnswerRule& rule);

}  // namespace specthink::inline evaluation
