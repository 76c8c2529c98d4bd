// The readers of each kind of file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "specthink/report/series.h"

namespace specthink::inline report {

/// A result file of bench, of one mode or several.
std::vector<ResultSeries> read_bench_results(const Json& document, const std::filesystem::path& path);

/// A run log of bench: unfinished benchmarks, parts.
std::vector<ResultSeries> read_bench_log(const std::string& content, const std::filesystem::path& path);

/// Adds what the log beside a result file says more of the same runs. A log that is torn or of other runs adds nothing.
void add_bench_log(std::vector<ResultSeries>& series, const std::filesystem::path& log);

bool is_eval_document(const Json& document);
/// `ordered` is the same document in the order of the file.
std::vector<ResultSeries> read_eval_results(const OrderedJson& ordered, const Json& document,
                                            const std::filesystem::path& path);

std::vector<ResultSeries> read_replay_results(const Json& document, const std::filesystem::path& path);

/// "Qwen3-32B" of "Qwen/Qwen3-32B".
std::string short_model_name(const Json& model);

}  // namespace specthink::inline report
