// A benchmark of two problems with random models, which takes a second or two.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "app/program.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"

namespace specthink::testing_support {

struct SmallBench {
  std::filesystem::path folder;

  explicit SmallBench(const std::string& name) : folder(fresh_folder(name)) {
    std::ofstream(folder / "task.yml")
        << "name: sums\ntemplate: 'Solve: {problem}'\ndata: sums.jsonl\nanswer_key: answer\n";
    std::ofstream(folder / "sums.jsonl")
        << "{\"problem\": \"1+1\", \"answer\": \"2\"}\n{\"problem\": \"2+3\", \"answer\": \"5\"}\n";
  }

  std::filesystem::path results() const { return folder / "results"; }

  std::string arguments() const {
    return "bench --target " + (random_pair() / "target").string() + " --draft " + (random_pair() / "draft").string() +
           " --task " + (folder / "task.yml").string() + " --output-dir " + results().string() +
           " --token-speculation off --num-problems 2 --num-runs 2 --max-tokens 120 --ignore-eos --begin --begin-token-num 9 --not-reasoning"
           " --max-target-tokens 7 --original-recap-token-num 11 --recap-after-negative-num 2"
           " --trigger-tokens '[\"\\n\",\".\",\",\",\"a\",\"e\"]'";
  }

  /// Files of this kind; none when there is no folder yet.
  std::vector<std::filesystem::path> files(const std::string& extension) const {
    std::vector<std::filesystem::path> found;
    if (!std::filesystem::exists(results())) return found;
    for (const auto& entry : std::filesystem::directory_iterator(results())) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }

  std::filesystem::path only_file(const std::string& extension) const {
    const auto found = files(extension);
    EXPECT_EQ(found.size(), 1u) << extension;
    return found.empty() ? "" : found[0];
  }

  /// Runs that the log holds, the torn one included; 0 when there is no log yet.
  int logged_runs() const {
    const auto logs = files(".jsonl");
    return logs.empty() ? 0 : std::max(0, count_lines(read_file(logs[0])) - 1);
  }
};

/// Everything of a result file that does not depend on time: text, tokens and ledger of every run.
inline Json without_times(const Json& document) {
  Json runs = Json::array();
  for (const char* mode : {"large_model", "speculative_thinking"}) {
    for (const Json& problem : document.at(mode).at("results").at("problems")) {
      for (const Json& run : problem.at("runs")) {
        runs.push_back(
            {mode, problem.at("id"), run.at("run"), run.at("num_tokens"), run.at("generated_text"), run.at("ledger")});
      }
    }
  }
  return runs;
}

/// The same without what was prefilled: runs of a batch take the beginning of a prompt from each other.
inline Json without_prefills(Json runs) {
  for (Json& run : runs) {
    for (const char* key : {"draft_prefilled", "target_prefilled"}) run.back().erase(key);
  }
  return runs;
}

/// What an uninterrupted benchmark with these further flags gives, on two ranks.
inline Json uninterrupted_runs(const std::string& name, const std::string& flags) {
  const SmallBench bench(name);
  const ProgramResult result = run_program(bench.arguments() + flags, 2);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return without_times(read_json(bench.only_file(".json")));
}

}  // namespace specthink::testing_support
