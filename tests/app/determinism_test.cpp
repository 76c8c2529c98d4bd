// The table of docs/architecture.md, "Determinism": for each cell that promises the same tokens, two benchmarks of the
// demo pair that differ as its row says have the same texts.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "app/background_program.h"
#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::BackgroundProgram;
using testing_support::count_lines;
using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::without_prefills;
using testing_support::without_times;

const std::map<std::string, std::string> kColumns{
    {"float32, greedy", " --dtype float32 --temperature 0"},
    {"float32, sampled", " --dtype float32 --temperature 0.8 --top-p 0.95"},
    {"16 bits", " --dtype bfloat16 --temperature 0.8 --top-p 0.95"},
};

/// What one of two runs has that the other has not.
struct Difference {
  int ranks = 2;
  std::string flags{};
  bool interrupted = false;
};

const std::map<std::string, Difference> kRows{
    {"nothing", {}},
    {"stopped and resumed", {.interrupted = true}},
    {"number of groups", {.ranks = 4, .flags = " --tp 2"}},
    {"`--batch`", {.flags = " --batch 4"}},
    {"`--token-speculation`", {.flags = " --token-speculation auto"}},
    {"ranks of a group", {.ranks = 1}},
};

class DemoBench {
 public:
  explicit DemoBench(std::string flags)
      : folder_(fresh_folder("determinism")),
        arguments_(
            "bench --config configs/demo.yml --device cpu --seed 11 --num-problems 2 --num-runs 1 --max-tokens 100 "
            "--test-mode both --token-speculation off --output-dir " +
            folder_.string() + flags) {}
  ~DemoBench() { std::filesystem::remove_all(folder_); }
  DemoBench(const DemoBench&) = delete;
  DemoBench& operator=(const DemoBench&) = delete;

  Json runs(const Difference& difference) const {
    std::string arguments = arguments_ + difference.flags;
    if (difference.interrupted) {
      BackgroundProgram program(arguments, difference.ranks);
      program.wait_until([&] { return logged_runs() >= 1; });
      program.signal_launcher(SIGUSR1);
      EXPECT_EQ(program.wait().exit_code, 143);
      EXPECT_LT(logged_runs(), 4) << "it was stopped too late";
      arguments += " --resume";
    }
    const ProgramResult result = run_program(arguments, difference.ranks);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto file = only(".json");
    return file.empty() ? Json() : without_times(read_json(file));
  }

 private:
  std::filesystem::path only(const std::string& extension) const {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == extension) found = entry.path();
    }
    return found;
  }
  int logged_runs() const {
    const auto log = only(".jsonl");
    return log.empty() ? 0 : std::max(0, count_lines(read_file(log)) - 1);
  }

  std::filesystem::path folder_;
  std::string arguments_;
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const std::size_t begin = std::min(cell.find_first_not_of(' '), cell.size());
    cells.push_back(cell.substr(begin, cell.find_last_not_of(' ') + 1 - begin));
  }
  return cells;
}

/// {column: {rows that promise the same tokens}}, and every row's label that was found.
std::map<std::string, std::vector<std::string>> promises(std::vector<std::string>& labels) {
  std::ifstream document(std::filesystem::path(std::getenv("SPECTHINK_SOURCE_DIR")) / "docs/architecture.md");
  std::map<std::string, std::vector<std::string>> found;
  std::vector<std::string> columns;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("|")) {
      columns.clear();
      continue;
    }
    const std::vector<std::string> cells = cells_of(line);
    if (columns.empty()) columns = cells;
    if (columns.size() != 4 || columns[1] != "float32, greedy" || cells.size() != 4) continue;
    const std::string label = cells[0].substr(0, cells[0].find(':'));
    if (!kRows.contains(label)) continue;
    labels.push_back(label);
    for (std::size_t i = 1; i < cells.size(); ++i) {
      if (cells[i] == "same") found[columns[i]].push_back(label);
    }
  }
  return found;
}

/// What a row promises of tokens, texts and ledgers (the last field of each run), which say what was proposed and what
/// was prefilled.
Json promised_of(const std::string& row, Json runs) {
  if (row == "`--batch`") return without_prefills(std::move(runs));
  if (row != "`--token-speculation`") return runs;
  for (Json& run : runs) run.erase(run.size() - 1);
  return runs;
}

TEST(determinism, is_as_the_table_promises) {
  std::vector<std::string> labels;
  const auto promised = promises(labels);
  EXPECT_EQ(labels.size(), kRows.size()) << "each row of the test is one of the table";
  ASSERT_EQ(promised.size(), kColumns.size());
  for (const auto& [column, rows] : promised) {
    ASSERT_TRUE(kColumns.contains(column)) << column;
    const Json reference = DemoBench(kColumns.at(column)).runs({});
    ASSERT_EQ(reference.size(), 4u);
    for (const std::string& row : rows) {
      const Json other = DemoBench(kColumns.at(column)).runs(kRows.at(row));
      EXPECT_EQ(promised_of(row, other), promised_of(row, reference)) << column << "; " << row;
    }
  }
  EXPECT_NE(DemoBench(kColumns.at("float32, sampled") + " --seed 12").runs({}),
            DemoBench(kColumns.at("float32, sampled")).runs({}))
      << "the comparison sees other tokens";
}

}  // namespace
}  // namespace specthink
