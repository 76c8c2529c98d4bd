// The result files of the original's eval.py, with our keys added.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/evaluation/judge.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// What the name of a result file is made of. Empty text is written as Python writes None.
struct EvalName {
  std::string system;  ///< the configuration's file name, or the model's
  std::string task;
  std::string split;
  std::string subset;
  bool filter_difficulty = false;
  int start = 0;
  int end = -1;
  std::vector<double> temperatures;
  int n = 1;
};

/// SYSTEM_TASK_SPLIT_subset_SUBSET_filter_False_s0_e-1_t0.6,1.0_n5
std::string eval_file_stem(const EvalName& name);

/// Python's str() of a number: 0.6, 1.0. The key of a temperature.
std::string temperature_key(double temperature);

/// The runs at one temperature.
struct EvalStage {
  double temperature = 0;
  std::vector<RunRecord> records;
};

/// {PROBLEM: {id, task, gold, prompt, input_conversation, responses: {TEMPERATURE: [{content, correctness, reason}]},
/// token_usages: {TEMPERATURE: [{completion_tokens, prompt_tokens, correct_tokens, time_spend, try_correct}]}}}.
/// `correctness` and `reason` are null where nothing was judged. Ours: answer and judge beside these; ledger,
/// finish_reason, segments and origins beside the token counts. Of two problems with the same text the later one has
/// its id added.
OrderedJson eval_document(const std::string& task, std::span<const Problem> problems,
                          std::span<const EvalStage> stages);

/// {completion_tokens, prompt_tokens, avg_completion_tokens, avg_prompt_tokens, pass_at_k, accuracy} over a document as
/// eval_document() or the original writes it, and ours: statistics with intervals by temperature. Throws UserError that
/// begins with `source`.
OrderedJson eval_metrics(const OrderedJson& document, const std::string& source);

/// Judges every response of the document anew by the problems' answers. Returns how many were judged. Throws UserError.
std::size_t check_document(OrderedJson& document, std::span<const Problem> problems, const Judge& judge,
                           const AnswerRule& rule, const std::string& source);

/// As the original writes its files.
std::string eval_file_text(const OrderedJson& document);

}  // namespace specthink::inline evaluation
