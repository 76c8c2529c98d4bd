// The files of configs/ load, and say what they are meant to say. Run in the source folder.
#include <gtest/gtest.h>

#include "config/invocation_helpers.h"
#include "specthink/config/yaml.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  return files;
}

TEST(shipped_configs, all_load) {
  const auto files = files_of("configs", ".yml");
  EXPECT_GE(files.size(), 3u);
  for (const fs::path& file : files) {
    const Invocation given = parse({"config", "--config", file.string()});
    EXPECT_FALSE(given.settings.models.target.empty()) << file;
    EXPECT_TRUE(given.settings.models.draft) << file;
  }
}

TEST(shipped_configs, qwen3_has_the_recorded_schedule) {
  for (const char* file : {"configs/qwen3_1.7b_32b.yml", "configs/qwen3_1.7b_32b_2gpu.yml"}) {
    const Invocation given = parse({"bench", "--config", file});
    EXPECT_EQ(given.settings.schedule, default_settings().schedule) << file;
    EXPECT_EQ(given.settings.models.target, "Qwen/Qwen3-32B");
    EXPECT_EQ(given.settings.models.draft, "Qwen/Qwen3-1.7B");
  }
}

TEST(shipped_configs, demo_runs_the_trained_pair_with_the_default_words) {
  const Invocation given = parse({"bench", "--config", "configs/demo.yml"});
  const ScheduleSettings& schedule = given.settings.schedule;
  EXPECT_EQ(schedule.verify_words, default_settings().schedule.verify_words);
  EXPECT_EQ(schedule.negative_words, default_settings().schedule.negative_words);
  EXPECT_EQ(schedule.positive_words, default_settings().schedule.positive_words);
  EXPECT_TRUE(fs::exists(given.settings.bench.task)) << given.settings.bench.task;
  EXPECT_TRUE(fs::exists(fs::path(given.settings.models.target) / "model.safetensors"));
  EXPECT_TRUE(fs::exists(fs::path(*given.settings.models.draft) / "model.safetensors"));
}

TEST(shipped_configs, the_random_pair_exercises_everything) {
  const Invocation given = parse({"bench", "--config", "configs/random_pair.yml"});
  EXPECT_TRUE(given.settings.schedule.begin);
  EXPECT_TRUE(given.settings.schedule.not_reasoning);
  EXPECT_TRUE(given.settings.sampling.ignore_eos);
}

TEST(shipped_configs, tasks_have_the_keys_of_a_task) {
  const auto files = files_of("configs/tasks", ".yml");
  EXPECT_GE(files.size(), 4u);
  for (const fs::path& file : files) {
    const YamlValue task = read_yaml(file);
    for (const char* key : {"name", "template", "data", "answer_key"}) {
      ASSERT_NE(task.find(key), nullptr) << file << " has no " << key;
    }
    expect_contains(task.find("template")->text, "{problem}");
  }
}

TEST(shipped_configs, templates_of_the_benchmarks) {
  const std::string aime25 = read_yaml("configs/tasks/aime25.yml").find("template")->text;
  EXPECT_TRUE(aime25.ends_with("Problem: {problem}"));
  expect_contains(aime25, "(\n\n)");  // two real newline characters
  for (const char* file : {"configs/tasks/aime24.yml", "configs/tasks/math500.yml"}) {
    EXPECT_EQ(read_yaml(file).find("template")->text, aime25 + " <think>\n");
  }
}

TEST(shipped_configs, model_shapes_are_consistent) {
  int checked = 0;
  for (const auto& entry : fs::directory_iterator("configs/models")) {
    const Json config = read_json(entry.path() / "config.json");
    EXPECT_EQ(config.at("model_type"), "qwen3");
    EXPECT_EQ(config.at("num_attention_heads").get<int>() % config.at("num_key_value_heads").get<int>(), 0);
    EXPECT_EQ(config.at("vocab_size"), 151936);
    EXPECT_EQ(read_json(entry.path() / "generation_config.json").at("eos_token_id"), Json({151645, 151643}));
    ++checked;
  }
  EXPECT_GE(checked, 6);
}

}  // namespace
}  // namespace specthink
