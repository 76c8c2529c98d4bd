// The result files of the original's eval.py, with our keys added.
#pragma once

#include <cstddef>
#include <functional>
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
  std::string system;         ///< the configuration's file name, or the model's
  bool is_one_model = false;  ///< it is the model's: the original names bounds of difficulty for these alone
  std::string task{};
  std::string split{};
  std::string subset{};
  bool filter_difficulty = false;
  int start = 0;
  int end = -1;
  std::vector<double> temperatures{};
  int n = 1;
  std::optional<std::string> difficulty{};
  std::optional<std::string> source{};
  std::optional<int> math_difficulty_lower_bound{};
  std::optional<int> math_difficulty_upper_bound{};
};

/// SYSTEM_TASK_SPLIT_subset_SUBSET_filter_False_s0_e-1_t0.6,1.0_n5. With a bound of difficulty the original puts a
/// model's name in front once more and the upper bound (or None) behind it. The filters that it does not name would
/// write the same file: they are added as _difficulty_NAME, _source_NAME, _lower_BOUND, _upper_BOUND.
std::string eval_file_stem(const EvalName& name);

/// Python's str() of a number: 0.6, 1.0. The key of a temperature.
std::string temperature_key(double temperature);

/// The runs at one temperature.
struct EvalStage {
  double temperature = 0;
  std::vector<RunRecord> records;
};

/// The messages that a problem's prompt becomes: the system's, if there is one, and the user's.
using Conversation = std::function<OrderedJson(const std::string& prompt)>;

/// {PROBLEM: {id, task, gold, prompt, input_conversation, responses: {TEMPERATURE: [{content, correctness, reason}]},
/// token_usages: {TEMPERATURE: [{completion_tokens, prompt_tokens, correct_tokens, time_spend, try_correct}]}}}.
/// `correctness` and `reason` are null where nothing was judged. Ours: answer and judge beside these; ledger,
/// finish_reason, segments and origins beside the token counts. Of two problems with the same text the later one has
/// its id added. `prompt` is the user's message as it is in the conversation.
OrderedJson eval_document(const std::string& task, std::span<const Problem> problems, std::span<const EvalStage> stages,
                          const Conversation& conversation_of);

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
