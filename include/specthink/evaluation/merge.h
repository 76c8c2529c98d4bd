// Joins the parts of a benchmark (bench --part K/N), whose run logs lie in one folder, into the result file that the
// benchmark would have written in one piece.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "specthink/report/result_file.h"

namespace specthink::inline evaluation {

/// What a part's log says besides its settings, so that merging needs neither task file nor models.
OrderedJson describe_for_merge(const BenchmarkConfig& config, const Json& settings,
                               const std::vector<Problem>& problems);

struct MergedBenchmark {
  std::filesystem::path result_path;
  std::size_t parts = 0;
  std::string summary_text;  ///< the tables for people
  std::string summary_line;  ///< the line of `--format json`; `runs` in its `files` is the list of logs
};

/// Merges the parts in `folder` and writes {kind}_benchmark_{time of the first part}.json there; doing it again gives
/// the same file. Where the folder has several benchmarks, it is the one with the newest log. Reads only: parts may
/// still be running. Throws UserError that lists the missing runs part by part, that says that there are no parts, or
/// that names the line of a damaged log; EnvironmentError when the file cannot be written.
MergedBenchmark merge_parts(const std::filesystem::path& folder);

}  // namespace specthink::inline evaluation
