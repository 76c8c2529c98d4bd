#include "specthink/replay/log.h"

#include "fixtures.h"

namespace specthink {
namespace {

const Json kSettings{{"target_model", "t"}, {"seed", 1}};

ReplayRecord record(ReplayLoop loop, std::size_t workload, double seconds) {
  ReplayRecord result{loop, workload, 0, 0, 5, {}};
  result.times.seconds = seconds;
  return result;
}

TEST(replay_log, goes_on_where_it_ended) {
  const TemporaryFolder folder;
  ReplayLog first = ReplayLog::create(folder.path(), kSettings, "20300102_030405");
  EXPECT_EQ(first.path().filename(), "replay_20300102_030405.jsonl");
  EXPECT_EQ(first.result_path().filename(), "replay_20300102_030405.json");
  first.append(record(ReplayLoop::original, 2, 1.5));
  first.append(record(ReplayLoop::fixed, 2, 1.25));

  const auto log = ReplayLog::resume(folder.path(), kSettings);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->path(), first.path());
  ASSERT_NE(log->find(ReplayLoop::original, 2), nullptr);
  EXPECT_EQ(log->find(ReplayLoop::original, 2)->times.seconds, 1.5);
  EXPECT_EQ(log->find(ReplayLoop::fixed, 2)->times.seconds, 1.25);
  EXPECT_EQ(log->find(ReplayLoop::target, 2), nullptr);
  EXPECT_EQ(log->find(ReplayLoop::original, 1), nullptr);
}

TEST(replay_log, goes_on_with_a_log_in_which_the_original_loop_is_called_seed) {
  const TemporaryFolder folder;
  Json settings = kSettings;
  settings["compat"] = "seed";
  ReplayLog old = ReplayLog::create(folder.path(), settings, "20300102_030405");
  old.append(record(ReplayLoop::original, 2, 1.5));
  std::string text = slurp(old.path());
  const std::string written = "\"policy\":\"original\"";
  ASSERT_NE(text.find(written), std::string::npos) << text;
  folder.write(old.path().filename(), text.replace(text.find(written), written.size(), "\"policy\":\"seed\""));

  settings["compat"] = "original";
  const auto log = ReplayLog::resume(folder.path(), settings);
  ASSERT_TRUE(log);
  ASSERT_NE(log->find(ReplayLoop::original, 2), nullptr);
  EXPECT_EQ(log->find(ReplayLoop::original, 2)->times.seconds, 1.5);
}

TEST(replay_log, a_taken_name_is_left_alone) {
  const TemporaryFolder folder;
  folder.write("replay_20301231_235959.json", "{}");
  const ReplayLog first = ReplayLog::create(folder.path(), kSettings, "20301231_235959");
  EXPECT_EQ(first.timestamp(), "20310101_000000");
  EXPECT_EQ(ReplayLog::create(folder.path(), kSettings, "20310101_000000").timestamp(), "20310101_000001");
}

TEST(replay_log, a_torn_last_line_is_cut_off) {
  const TemporaryFolder folder;
  ReplayLog log = ReplayLog::create(folder.path(), kSettings, "20300102_030405");
  log.append(record(ReplayLoop::original, 0, 1));
  const std::string whole = slurp(log.path());
  log.append(record(ReplayLoop::original, 1, 2));
  std::filesystem::resize_file(log.path(), std::filesystem::file_size(log.path()) - 10);

  auto resumed = ReplayLog::resume(folder.path(), kSettings);
  ASSERT_TRUE(resumed);
  EXPECT_NE(resumed->find(ReplayLoop::original, 0), nullptr);
  EXPECT_EQ(resumed->find(ReplayLoop::original, 1), nullptr);
  EXPECT_EQ(slurp(log.path()), whole);
  resumed->append(record(ReplayLoop::original, 1, 3));
  EXPECT_EQ(ReplayLog::resume(folder.path(), kSettings)->find(ReplayLoop::original, 1)->times.seconds, 3);
}

TEST(replay_log, damage_elsewhere_names_the_line) {
  const TemporaryFolder folder;
  const ReplayLog log = ReplayLog::create(folder.path(), kSettings, "20300102_030405");
  folder.write("replay_20300102_030405.jsonl", slurp(log.path()) + "{\"policy\":\"seed\"}\n");
  const std::string error = message_of<UserError>([&] { ReplayLog::resume(folder.path(), kSettings); });
  expect_contains(error, log.path().string() + ":2");
  expect_contains(error, "delete this line");
}

TEST(replay_log, what_an_older_log_does_not_say_is_no_change) {
  const TemporaryFolder folder;
  ReplayLog::create(folder.path(), kSettings, "20300102_030405");
  Json settings = kSettings;
  settings["all_reduce"] = "auto";
  EXPECT_TRUE(ReplayLog::resume(folder.path(), settings));
  settings["seed"] = 2;
  expect_contains(message_of<UserError>([&] { ReplayLog::resume(folder.path(), settings); }),
                  "the settings have changed (seed: 1, now 2)");
}

TEST(replay_log, other_settings_are_refused) {
  const TemporaryFolder folder;
  EXPECT_FALSE(ReplayLog::resume(folder.path(), kSettings));
  folder.write("replay_20300102_030409.jsonl", "something else\n");
  folder.write("replay_of_others.jsonl", "{}\n");
  EXPECT_FALSE(ReplayLog::resume(folder.path(), kSettings));
  Json other = kSettings;
  other["seed"] = 2;
  ReplayLog::create(folder.path(), other, "20300102_030406");
  expect_contains(message_of<UserError>([&] { ReplayLog::resume(folder.path(), kSettings); }), "seed: 2, now 1");
  ReplayLog::create(folder.path(), kSettings, "20300102_030405");
  EXPECT_EQ(ReplayLog::resume(folder.path(), kSettings)->timestamp(), "20300102_030405");
}

}  // namespace
}  // namespace specthink
