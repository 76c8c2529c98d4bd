// The configurations that users of the original program have, on small random models under the names that they use.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "app/program.h"
#include "shared_data.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::run_program;

// A hub cache of the test's own (tools/random_hub.py), made once.
const fs::path& random_hub() {
  static const fs::path folder = [] {
    const char* source = std::getenv("SPECTHINK_SOURCE_DIR");
    auto made = fresh_folder("hub");
    const std::string command =
        "python3 '" + std::string(source ? source : ".") + "/tools/random_hub.py' '" + made.string() + "' >/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("tools/random_hub.py failed");
    return made;
  }();
  return folder;
}

// What generate answers with this configuration.
Json generate_with(const fs::path& config, const std::string& more = "") {
  ::setenv("HF_HUB_CACHE", random_hub().c_str(), 1);
  const ProgramResult result =
      run_program("generate --format json --device cpu --dtype float32 --temperature 0 --max-tokens 60 --config '" +
                  config.string() + "'" + more + " 'What is 2+2?'");
  ::unsetenv("HF_HUB_CACHE");
  EXPECT_EQ(result.exit_code, 0) << config << ": " << result.err;
  return result.exit_code == 0 ? parse_json(result.out, "stdout") : Json();
}

void expect_a_run(const Json& answer, const std::string& place) {
  ASSERT_TRUE(answer.is_object()) << place;
  const Json& ledger = answer.at("ledger");
  const auto count = [&](const char* key) { return ledger.at(key).get<std::size_t>(); };
  EXPECT_GT(answer.at("ids").size(), 0u) << place;
  EXPECT_EQ(count("draft") + count("target") + count("injected"), answer.at("ids").size()) << place;
}

// The pairs and modes of the original's files.
struct Pair {
  const char* mode;
  const char* target;
  const char* draft;
  const char* more;
};
constexpr Pair kPairs[] = {
    {"vllm", "Qwen/Qwen3-32B", "Qwen/Qwen3-1.7B", ""},
    {"vllm", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", ""},
    {"vllm", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "Qwen/Qwen2.5-1.5B-Instruct",
     "not_reasoning: true\nbegin: true\n"},
    {"vllm_p", "microsoft/Phi-4-reasoning-plus", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", ""},
    {"vllm_p", "Qwen/QwQ-32B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", ""},
    {"vllm_p", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", ""},
    {"hf", "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", ""},
    {"hf", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", nullptr, ""},
};

TEST(named_models, each_pair_and_mode_runs) {
  const fs::path folder = fresh_folder("named_models");
  for (const Pair& pair : kPairs) {
    const std::string draft = pair.draft ? pair.draft : "null";
    std::ofstream(folder / "pair.yml") << "mode: " << pair.mode << "\ntarget_model_name: " << pair.target
                                       << "\nspeculative_model_name: " << draft << "\n"
                                       << pair.more;
    const std::string place = std::string(pair.mode) + " " + pair.target + " " + draft;
    const Json answer = generate_with(folder / "pair.yml");
    expect_a_run(answer, place);
    if (!pair.draft && answer.is_object()) {
      EXPECT_EQ(answer.at("ledger").at("draft"), 0) << place;
    }
  }
}

// Random words at a high temperature, segments that end at frequent letters, and no takeovers: the text changes hands
// often.
TEST(named_models, both_caches_stay_useful_where_text_is_shared) {
  const fs::path folder = fresh_folder("shared_text");
  std::ofstream(folder / "pair.yml")
      << "mode: vllm_p\ntarget_model_name: Qwen/QwQ-32B\n"
         "speculative_model_name: deepseek-ai/DeepSeek-R1-Distill-Llama-8B\n"
         "TRIGGER_TOKENS: [\"\\n\\n\", a, e, i, o, t, s, ' ']\nnot_reasoning: true\nmax_target_tokens: 8\n"
         "TARGET_VALIDATION_KEYWORDS: {verify: [zzzz], negative: [zzzz], positive: [zzzz]}\n"
         "recap_after_negative_num: 1000\n";
  const Json answer =
      generate_with(folder / "pair.yml", " --ignore-eos --max-tokens 500 --temperature 3 --top-p 1 --top-k 0");
  expect_a_run(answer, "vllm_p");
  if (!answer.is_object()) return;
  const Json& ledger = answer.at("ledger");
  const std::size_t generated = answer.at("ids").size();
  // Without caches each visit would prefill all of the text again.
  const std::size_t visits = ledger.at("target").get<std::size_t>() / 8;
  EXPECT_GE(visits, 5u);
  EXPECT_LT(ledger.at("target_prefilled").get<std::size_t>(), visits * generated / 4) << ledger;
  EXPECT_LT(ledger.at("draft_prefilled").get<std::size_t>(), visits * generated / 4) << ledger;
}

TEST(named_models, the_original_files_run_unmodified) {
  const fs::path folder = testing_support::shared_data() / "original" / "config";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no folder " << folder << "; set SPECTHINK_DATA";
  std::set<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yml") files.insert(entry.path());
  }
  EXPECT_EQ(files.size(), 25u);
  for (const fs::path& file : files) expect_a_run(generate_with(file), file.string());
}

}  // namespace
}  // namespace specthink
