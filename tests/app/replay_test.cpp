// specthink replay, as a user runs it.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "app/program.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using testing_support::count_lines;
using testing_support::count_messages;
using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::random_pair;
using testing_support::run_program;

const std::string kQuick = " --no-step-table --no-prefill-table --format json";

std::string models() {
  return " --target " + (random_pair() / "target").string() + " --draft " + (random_pair() / "draft").string();
}

std::string command(const std::filesystem::path& folder, const std::string& flags = kQuick) {
  return "replay --workload-file tests/replay/data/workloads.jsonl --output-dir " + folder.string() + flags;
}

Json replay(const std::string& arguments, int ranks) {
  const ProgramResult result = run_program(arguments, ranks);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(count_lines(result.out), 1) << result.out;
  return parse_json(result.out.empty() ? "null" : result.out, "stdout");
}

std::filesystem::path only_file(const std::filesystem::path& folder, const std::string& extension) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == extension) found.push_back(entry.path());
  }
  EXPECT_EQ(found.size(), 1u) << extension;
  return found.empty() ? "" : found[0];
}

TEST(replay, runs_every_loop_with_two_ranks) {
  const auto folder = fresh_folder("replay_all");
  const Json result = replay(command(folder) + models() + " --loop all", 2);
  EXPECT_GT(result.at("read_tb_s").get<double>(), 0);
  EXPECT_EQ(result.at("read_tb_s_by_rank").size(), 2u);
  EXPECT_EQ(result.at("workloads"), Json({0, 1, 2}));
  const auto steps = [&](const char* policy, std::size_t run, const char* model) {
    const Json& times = result.at("policies").at(policy).at("runs")[run].at(model);
    return times.at("decode").at("steps").get<double>();
  };
  for (const char* policy : {"seed", "fixed", "target"}) {
    EXPECT_GT(result.at("workload_s").at(policy).get<double>(), 0);
    EXPECT_EQ(result.at("workload_s_source").at(policy), "measured");
    const Json& total = result.at("policies").at(policy).at("total");
    EXPECT_EQ(total.at("tokens"), 95 + 17 + 70);
    double sum = total.at("host_s").get<double>() + total.at("hand_over_s").get<double>();
    for (const char* part : {"draft_decode_s", "target_decode_s", "draft_prefill_s", "target_prefill_s"}) {
      EXPECT_GE(total.at(part).get<double>(), 0) << part;
      sum += total.at(part).get<double>();
    }
    EXPECT_NEAR(sum, total.at("seconds").get<double>(), 1e-6);
  }
  // The fixed loop saves min(12, 8) + min(12, 15) steps of the draft in the first run, and nothing of the target.
  EXPECT_EQ(steps("seed", 0, "draft") - steps("fixed", 0, "draft"), 20);
  EXPECT_EQ(steps("seed", 0, "target"), steps("fixed", 0, "target"));
  EXPECT_EQ(steps("target", 0, "draft"), 0);
  EXPECT_NEAR(steps("target", 0, "target"), 95, 1);
  // Prompts are prefilled by both models, the target's passages by the draft.
  EXPECT_GE(result.at("policies").at("seed").at("runs")[0].at("draft").at("prefilled"), 20 + 12 + 20);

  EXPECT_EQ(read_json(only_file(folder, ".json")), result);
}

TEST(replay, names_no_proposers_without_texts) {
  const auto folder = fresh_folder("replay_without_texts");
  const ProgramResult result = run_program(command(folder) + models() + " --loop target --calibrate-steps", 1);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err.find("token-level speculation"), std::string::npos) << result.err;
}

TEST(replay, runs_recorded_runs_at_once) {
  const auto folder = fresh_folder("replay_batch");
  const std::string arguments = command(folder) + models() + " --loop original";
  const Json single = replay(arguments + " --workloads 0,1", 2);
  EXPECT_EQ(single.at("batches"), Json::array());
  const Json result = replay(arguments + " --resume --batch 3", 2);
  ASSERT_EQ(result.at("batches").size(), 1u);
  const Json& batch = result.at("batches")[0];
  EXPECT_EQ(batch.at("policy"), "seed");
  EXPECT_EQ(batch.at("runs"), 3);
  EXPECT_EQ(batch.at("tokens"), 95 + 17 + 70);
  EXPECT_GT(batch.at("seconds").get<double>(), 0);
  EXPECT_EQ(batch.at("one_by_one_runs"), 2);
  EXPECT_NEAR(batch.at("one_by_one_s").get<double>(), single.at("workload_s").at("seed").get<double>() * 3, 1e-6);
  const std::string tables = command(folder, " --no-prefill-table --max-model-len 1100 --workloads 1");
  const ProgramResult text = run_program(tables + models() + " --batch 2", 1);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* part : {"## A decode step of several sequences", "| 2 ", "## Runs at once", "| original"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  EXPECT_EQ(text.out.find("## Loop"), std::string::npos);
  const ProgramResult texts = run_program(arguments + " --batch 2 --texts none.json");
  EXPECT_EQ(texts.exit_code, 2);
  EXPECT_NE(texts.err.find("--texts is for runs one by one"), std::string::npos) << texts.err;
}

TEST(replay, needs_no_more_than_config_json) {
  const auto folder = fresh_folder("replay_dummy");
  for (const char* model : {"target", "draft"}) {
    std::filesystem::create_directories(folder / model);
    std::filesystem::copy_file(random_pair() / model / "config.json", folder / model / "config.json");
  }
  const std::string pair = " --target " + (folder / "target").string() + " --draft " + (folder / "draft").string();
  const Json result = replay(command(folder / "out") + pair + " --dummy-weights --workloads 1,2", 2);
  EXPECT_EQ(result.at("policies").at("seed").at("total").at("tokens"), 17 + 70);
  EXPECT_TRUE(result.at("workload_s").at("target").is_null());
}

TEST(replay, measures_steps_and_prefills) {
  const auto folder = fresh_folder("replay_tables");
  const std::string arguments = command(folder, " --max-model-len 1300 --workloads 1") + models();
  const Json result = replay(arguments + " --format json", 1);
  for (const char* model : {"target_ms", "draft_ms"}) {
    EXPECT_GT(result.at(model).at("1024").get<double>(), 0);
    EXPECT_TRUE(result.at(model).at("16384").is_null()) << "the context is shorter";
  }
  EXPECT_EQ(result.at("prefill").size(), 8u);
  EXPECT_GT(result.at("prefill")[3].at("target").at("prefill_ms").get<double>(), 0);

  const ProgramResult text = run_program(arguments + " --no-step-table --resume", 1);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* part : {"# Replay on 1 rank", "## Prefill", "## Loop original", "| total", "TB/s", "Results: "}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
}

// A job that died while it wrote its last run: what is finished is not run again, what is torn is.
TEST(replay, resumes_after_a_torn_line) {
  const auto folder = fresh_folder("replay_resume");
  const std::string arguments = command(folder) + models();
  const Json first = replay(arguments, 1);
  const auto log_path = only_file(folder, ".jsonl");
  const std::string log = read_file(log_path);
  std::ofstream(log_path, std::ios::binary) << log.substr(0, log.size() - 9);
  std::filesystem::remove(only_file(folder, ".json"));

  const ProgramResult changed = run_program(arguments + " --resume --seed 1");
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_NE(changed.err.find("seed: 0, now 1"), std::string::npos) << changed.err;

  const Json second = replay(arguments + " --resume", 1);
  const auto run = [](const Json& result, std::size_t i) { return result.at("policies").at("seed").at("runs")[i]; };
  EXPECT_EQ(run(second, 0), run(first, 0));
  EXPECT_EQ(run(second, 1), run(first, 1));
  EXPECT_EQ(run(second, 2).at("tokens"), 70);
  EXPECT_NE(run(second, 2).at("seconds"), run(first, 2).at("seconds")) << "timed again";

  // Another loop goes on in the same log, and both are in the result; the flag has its old name, too.
  const Json both = replay(arguments + " --resume --policy fixed", 1);
  EXPECT_EQ(run(both, 0), run(first, 0));
  EXPECT_GT(both.at("workload_s").at("fixed").get<double>(), 0);
}

TEST(replay, the_target_alone_needs_no_draft) {
  const std::string target = " --target " + (random_pair() / "target").string();
  const Json result = replay(command(fresh_folder("replay_target")) + target + " --loop target --workloads 0", 1);
  EXPECT_EQ(result.at("policies").at("target").at("total").at("tokens"), 95);
  EXPECT_TRUE(result.at("speculative_model").is_null());
}

struct Mistake {
  const char* name;
  const char* flags;  // a later flag wins
  const char* message;
};

class replay_mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(replay_mistakes, are_found_before_anything_is_loaded) {
  const auto folder = fresh_folder(std::string("replay_mistake_") + GetParam().name);
  std::ofstream(folder / "bad.jsonl") << "{\"problem\": 0}\n";
  const std::string bad = GetParam().name == std::string("bad_line") ? (folder / "bad.jsonl").string() : "";
  const ProgramResult result = run_program(command(folder / "out") + models() + GetParam().flags + bad, 2);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(count_messages(result.err), 1) << result.err;
  EXPECT_NE(result.err.find(GetParam().message), std::string::npos) << result.err;
}

constexpr Mistake kMistakes[] = {
    {"bad_line", " --workload-file ", "bad.jsonl:1: the trace has no key 'run'"},
    {"no_such_workload", " --workloads 1,3", "workload 3"},
    {"bad_list", " --workloads 3-1", "flag --workloads: expected indices and ranges such as 0,3,5-9"},
    {"no_draft", " --draft none", "need a draft model"},
    {"short_context", " --max-model-len 100", "workload 0 needs a context of 115 tokens"},
    {"no_file", " --workload-file no_such_file", "no_such_file"},
};
INSTANTIATE_TEST_SUITE_P(replay, replay_mistakes, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace specthink
