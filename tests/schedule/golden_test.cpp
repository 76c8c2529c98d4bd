// Cases of both loops, our own and recorded ones: every request with its answer, in order, then the result.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "schedule/scripted_run.h"
#include "shared_data.h"
#include "specthink/base/utf8.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

using testing_support::own_data;
using testing_support::shared_data;

template <typename T>
void read_key(const Json& config, const char* key, T& value) {
  if (const auto found = config.find(key); found != config.end()) value = found->get<T>();
}

ScheduleSettings settings_of(const Json& config, Compat compat) {
  ScheduleSettings settings = testing::default_settings();
  settings.compat = compat;
  const std::string mode = config.value("mode", "vllm");
  settings.mode = mode == "vllm_p" ? Mode::vllm_p : mode == "hf" ? Mode::hf : Mode::vllm;
  read_key(config, "TRIGGER_TOKENS", settings.trigger_tokens);
  if (const auto words = config.find("TARGET_VALIDATION_KEYWORDS"); words != config.end()) {
    read_key(*words, "verify", settings.verify_words);
    read_key(*words, "negative", settings.negative_words);
    read_key(*words, "positive", settings.positive_words);
  }
  if (config.contains("help_think_word") && !config["help_think_word"].is_null()) {
    settings.help_think_word = config["help_think_word"].get<std::string>();
  }
  read_key(config, "help_recap_words", settings.help_recap_words);
  read_key(config, "not_reasoning", settings.not_reasoning);
  read_key(config, "choose_large", settings.choose_large);
  read_key(config, "max_target_tokens", settings.max_target_tokens);
  read_key(config, "begin", settings.begin);
  read_key(config, "begin_token_num", settings.begin_token_num);
  read_key(config, "original_recap_token_num", settings.original_recap_token_num);
  read_key(config, "recap_after_negative_num", settings.recap_after_negative_num);
  read_key(config, "add_each_recap", settings.add_each_recap);
  read_key(config, "add_each_neg", settings.add_each_neg);
  read_key(config, "max_recap_token_num", settings.max_recap_token_num);
  read_key(config, "max_negative_num", settings.max_negative_num);
  read_key(config, "time_out", settings.time_out);
  return settings;
}

Json log_of(const RunResult& result) {
  Json log = Json::array();
  for (const LogEntry& entry : result.log) log.push_back(to_json(entry));
  return log;
}

Json json_of(const Ledger& ledger) {
  return {{"draft", ledger.draft},
          {"target", ledger.target},
          {"injected", ledger.injected},
          {"draft_wasted", ledger.draft_wasted},
          {"target_wasted", ledger.target_wasted},
          {"draft_prefilled", ledger.draft_prefilled},
          {"target_prefilled", ledger.target_prefilled},
          {"nominal_target_share", ledger.nominal_target_share()},
          {"target_share", ledger.target_share()}};
}

/// The request as the cases write it. `no_stop`: how they write that nothing but EOS ends it early.
Json json_of(const Request& request, const ScheduleSettings& settings, const Json& no_stop) {
  return {{"model", name_of(request.role)},
          {"prefix_len", request.prefix.size()},
          {"max_tokens", request.max_tokens},
          {"stop", request.stops ? Json(settings.trigger_tokens) : no_stop}};
}

/// As the cases of mode vllm_p write it: the prompt's text instead of its length in ids.
Json text_json_of(const Request& request, const RunSetup& setup) {
  const bool of_target = request.role == Role::target;
  const std::string text = (of_target ? setup.tokenizer : setup.draft_tokenizer)->decode(request.prefix);
  std::string tail = text;
  std::size_t characters = 0;
  for (std::string_view rest = text; !rest.empty(); ++characters) rest.remove_prefix(next_utf8(rest).length);
  for (std::size_t drop = characters - std::min<std::size_t>(characters, 80); drop > 0; --drop) {
    tail.erase(0, next_utf8(tail).length);
  }
  return {{"model", name_of(request.role)},
          {"prompt_chars", characters},
          {"prompt_tail", tail},
          {"max_tokens", request.max_tokens},
          {"stop", request.stops ? Json(setup.settings.trigger_tokens) : Json::array()}};
}

/// Answers the requests of a case; the result, or an empty one after a failure.
std::optional<RunResult> replay(const Json& golden, RunSetup setup, const Json& no_stop) {
  const bool as_text = setup.settings.mode == Mode::vllm_p;
  const StopTable triggers(StopAutomaton(setup.settings.trigger_tokens), *setup.tokenizer);
  setup.triggers = &triggers;
  if (as_text) setup.draft_tokenizer = setup.tokenizer;
  setup.prompt_text = golden.value("prompt_text", "");
  setup.prompt = golden.at("prompt_ids").get<TokenIds>();
  setup.max_tokens = golden.at("max_tokens").get<int>();
  setup.max_model_len = golden.value("max_model_len", 32768);
  const ScheduleSettings& settings = setup.settings;
  const auto schedule = make_schedule(setup);

  TokenIds text = golden.at("prompt_ids").get<TokenIds>();
  for (const Json& call : golden.at("calls")) {
    const Request* request = schedule->request();
    if (request == nullptr) {
      ADD_FAILURE() << "the run ended before the request " << call;
      return std::nullopt;
    }
    Json expected = call;
    expected.erase("output");
    expected.erase("output_text");
    const Json found = as_text ? text_json_of(*request, setup) : json_of(*request, settings, no_stop);
    if (found != expected) {
      ADD_FAILURE() << "expected " << expected << ", found " << found;
      return std::nullopt;
    }
    const auto output = call.at("output").get<TokenIds>();
    schedule->resume(output, testing::end_reason(*request, output, setup));
  }
  if (schedule->request() != nullptr) {
    ADD_FAILURE() << "one more request: " << json_of(*schedule->request(), settings, no_stop);
    return std::nullopt;
  }
  return schedule->result();
}

void expect_original_result(const Json& golden, const RunResult& result) {
  EXPECT_EQ(result.ids.size(), golden.at("num_tokens").get<std::size_t>());
  EXPECT_EQ(log_of(result), golden.at("correct_tokens"));
  EXPECT_EQ(result.num_validations, golden.at("num_validations").get<int>());
  EXPECT_EQ(result.text, golden.at("generated_text").get<std::string>());
}

void expect_fixed_result(const Json& golden, const RunResult& result) {
  EXPECT_EQ(result.ids, golden.at("ids").get<TokenIds>());
  EXPECT_EQ(name_of(result.finish_reason), golden.at("finish_reason").get<std::string>());
  const Json ledger = json_of(result.ledger);
  for (const auto& [key, count] : golden.at("ledger").items()) EXPECT_EQ(ledger.at(key), count) << key;
  EXPECT_EQ(log_of(result), golden.at("correct_tokens"));
  EXPECT_EQ(result.num_validations, golden.at("num_validations").get<int>());
  EXPECT_EQ(result.text, golden.at("generated_text").get<std::string>());
}

/// Runs every line of every file in the folder.
void check_folder(const fs::path& folder, const fs::path& tokenizer_folder, Compat compat) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  int cases = 0;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    std::ifstream lines(file.path());
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::string place = file.path().filename().string() + ":" + std::to_string(++number);
      SCOPED_TRACE(place);
      const Json golden = parse_json(line, place);
      RunSetup setup;
      setup.settings = settings_of(golden.at("config"), compat);
      setup.tokenizer = &tokenizer;
      setup.tokenizer_eos = tokenizer.eos_token_id();
      setup.eos_ids = {tokenizer.token_id("<|im_end|>").value(), tokenizer.token_id("<|endoftext|>").value()};
      const bool original = uses_original_loop(setup.settings);
      const auto result = replay(golden, std::move(setup), original ? Json::array() : Json());
      if (result) original ? expect_original_result(golden, *result) : expect_fixed_result(golden, *result);
      ++cases;
    }
  }
  EXPECT_GT(cases, 0) << "no case in " << folder;
  std::cout << folder << ": " << cases << " cases checked\n";
}

void check_own(const char* name, Compat compat) {
  check_folder(own_data() / name, own_data() / "small-tokenizer", compat);
}

void check_recorded(const char* name, Compat compat) {
  const fs::path folder = shared_data() / name;
  const fs::path tokenizer_folder = shared_data() / "qwen3-tokenizer";
  if (!fs::is_directory(folder) || !fs::is_directory(tokenizer_folder)) {
    GTEST_SKIP() << "no folders " << folder << " and " << tokenizer_folder
                 << "; set SPECTHINK_DATA to the folder that holds them";
  }
  check_folder(folder, tokenizer_folder, compat);
}

TEST(schedule, own_cases_of_compat_original) { check_own("schedule_cases", Compat::original); }

TEST(schedule, own_cases_of_the_other_modes) { check_own("schedule_cases_text", Compat::fixed); }

TEST(schedule, own_cases_of_compat_fixed) { check_own("schedule_cases_fixed", Compat::fixed); }

TEST(schedule, golden_cases_of_compat_original) { check_recorded("schedule_cases", Compat::original); }

TEST(schedule, golden_cases_of_mode_vllm_p) { check_recorded("schedule_cases_text", Compat::fixed); }

TEST(schedule, golden_cases_of_compat_fixed) { check_recorded("schedule_cases_fixed", Compat::fixed); }

}  // namespace
}  // namespace specthink
