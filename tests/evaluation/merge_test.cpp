// Benchmarks in parts, and what becomes of them.
#include "specthink/evaluation/merge.h"

#include <gtest/gtest.h>

#include "evaluation/benchmark_fixtures.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

BenchmarkOptions part_options(const fs::path& folder, int number, int of) {
  BenchmarkOptions options = made_up_options(folder);
  options.part = {number, of};
  return options;
}

TEST(merge, gives_the_file_of_the_whole_benchmark) {
  for (const int parts : {2, 3, 4}) {
    const TemporaryFolder folder;
    std::size_t runs = 0;
    for (int number = 1; number <= std::min(parts, 3); ++number) {
      TestSession session(part_options(folder.path(), number, parts));
      EXPECT_EQ(session.run(), BenchmarkStatus::finished);
      runs += session.order.size();
    }
    EXPECT_EQ(runs, 12u);
    EXPECT_FALSE(fs::exists(folder.path() / kResultName)) << "a part has no result file";
    const MergedBenchmark merged = merge_parts(folder.path());
    EXPECT_EQ(merged.result_path.filename(), kResultName);
    EXPECT_EQ(slurp(merged.result_path), reference().result) << parts;
    merge_parts(folder.path());
    EXPECT_EQ(slurp(merged.result_path), reference().result) << "merged again";
  }
}

TEST(merge, names_what_is_missing_and_changes_nothing) {
  const TemporaryFolder folder;
  {
    TestSession first(part_options(folder.path(), 1, 3));
    first.run(1);
    TestSession second(part_options(folder.path(), 2, 3));
    second.run();
  }
  const fs::path log = folder.path() / kLogName;  // of the first part; its last run is torn
  const std::string torn = slurp(log).substr(0, slurp(log).size() - 20);
  folder.write(kLogName, torn);
  const std::string message = message_of<UserError>([&] { merge_parts(folder.path()); });
  expect_contains(message, "part 1/3 lacks 4 of 4 runs; part 3/3 has no log");
  EXPECT_EQ(slurp(log), torn) << "the part may still be running";
  EXPECT_FALSE(fs::exists(folder.path() / kResultName));
}

TEST(merge, resumed_parts_do_only_their_own_runs) {
  const TemporaryFolder folder;
  {
    TestSession first(part_options(folder.path(), 1, 2));
    first.run(3);
  }
  for (const int number : {2, 1}) {  // the second part has nothing to resume; the first one's log is not its business
    BenchmarkOptions options = part_options(folder.path(), number, 2);
    options.resume = true;
    TestSession session(options);
    EXPECT_EQ(session.run(), BenchmarkStatus::finished);
    EXPECT_EQ(session.order.size(), number == 1 ? 5u : 4u);
    for (const RunKey& key : session.order) EXPECT_EQ(key.problem % 2, number == 1 ? 0u : 1u);
  }
  EXPECT_EQ(slurp(merge_parts(folder.path()).result_path), reference().result);
}

TEST(merge, a_part_is_not_resumed_by_the_whole) {
  const TemporaryFolder folder;
  {
    TestSession first(part_options(folder.path(), 1, 2));
    first.run(3);
  }
  expect_contains(message_of<UserError>([&] { TestSession session(resuming(folder.path())); }),
                  "part: \"1/2\", now null");
}

TEST(merge, leaves_other_benchmarks_out) {
  const TemporaryFolder folder;
  for (int number = 1; number <= 2; ++number) {
    BenchmarkOptions other = part_options(folder.path(), number, 2);
    other.settings["seed"] = 4;
    other.timestamp = "20300101_000000";
    TestSession(other).run();
  }
  TestSession(made_up_options(folder.path())).run();  // a whole one, the newest but one
  for (int number = 1; number <= 2; ++number) {
    BenchmarkOptions options = part_options(folder.path(), number, 2);
    options.timestamp = "20300103_000000";
    TestSession(options).run();
  }
  const MergedBenchmark merged = merge_parts(folder.path());
  EXPECT_EQ(merged.result_path.filename(), "speedup_benchmark_20300103_000000.json");
  EXPECT_EQ(read_json(merged.result_path).at("config").at("seed"), 3);
}

TEST(merge, refuses_what_is_no_part) {
  const TemporaryFolder folder;
  expect_contains(message_of<UserError>([&] { merge_parts(folder.path() / "none"); }), "no such folder");
  expect_contains(message_of<UserError>([&] { merge_parts(folder.path()); }), "no parts of a benchmark");
  TestSession(made_up_options(folder.path())).run();
  expect_contains(message_of<UserError>([&] { merge_parts(folder.path()); }), "no parts of a benchmark");
}

TEST(merge, names_the_log_whose_first_line_is_wrong) {
  std::string log;
  {
    const TemporaryFolder folder;
    TestSession(part_options(folder.path(), 1, 1 + 1)).run();
    log = slurp(folder.path() / kLogName);
  }
  const std::size_t end = log.find('\n');
  const Json header = parse_json(log.substr(0, end), "header");
  const auto expect_refused = [&](const Json& changed) {
    const TemporaryFolder folder;
    folder.write(kLogName, changed.dump() + log.substr(end));
    expect_contains(message_of<UserError>([&] { merge_parts(folder.path()); }), kLogName);
  };
  for (const char* part : {"", "2", "0/2", "3/2", "a/b", "1/99999999999999999999", "1/2000000000"}) {
    Json changed = header;
    changed["settings"]["part"] = part;
    expect_refused(changed);
  }
  for (const char* key : {"problems", "config", "settings"}) {
    Json changed = header;
    changed["for_merge"].erase(key);
    expect_refused(changed);
    changed["for_merge"][key] = 7;
    expect_refused(changed);
  }
  Json changed = header;
  changed["settings"]["num_runs"] = -1;
  expect_refused(changed);
  changed = header;
  changed["settings"]["modes"] = {"tiny_model"};
  expect_refused(changed);
}

TEST(merge, more_parts_than_problems_are_refused_before_anything_runs) {
  const TemporaryFolder folder;
  expect_contains(message_of<UserError>([&] { TestSession session(part_options(folder.path(), 4, 4)); }),
                  "--part 4/4 has nothing to do: there are 3 problems");
  EXPECT_TRUE(files_in(folder.path()).empty());
}

}  // namespace
}  // namespace specthink
