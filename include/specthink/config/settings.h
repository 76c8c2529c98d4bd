// Everything a user can set, as plain data. The option table (config/options.h) fills it; no other place knows the
// names, defaults or ranges.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "specthink/base/types.h"

namespace specthink {

enum class Mode { vllm, vllm_p, hf };            ///< how the two models share text
enum class Compat { fixed, seed };               ///< which loop (schedule/)
enum class DType { bfloat16, float16, float32 };  ///< compute type of the models
enum class Device { automatic, cpu, cuda };
enum class Format { automatic, text, json, jsonl };  ///< automatic: what the command prints by default
enum class TestMode { large, spec, both };

/// The thinking schedule: the keys of the YAML files.
struct ScheduleSettings {
  Mode mode = Mode::vllm;
  Compat compat = Compat::fixed;
  std::vector<std::string> trigger_tokens;
  std::vector<std::string> verify_words;
  std::vector<std::string> negative_words;
  std::vector<std::string> positive_words;
  std::optional<std::string> help_think_word;
  std::string help_recap_words;
  bool not_reasoning = false;
  bool choose_large = true;
  int max_target_tokens = 0;
  bool begin = false;
  int begin_token_num = 0;
  int original_recap_token_num = 0;
  int recap_after_negative_num = 0;
  int add_each_recap = 0;
  int add_each_neg = 0;
  int max_recap_token_num = 0;
  int max_negative_num = 0;
  double time_out = -1;  ///< seconds; none unless > 0
};

struct SamplingSettings {
  double temperature = 0;  ///< 0 is greedy
  double top_p = 1;
  int top_k = 0;  ///< 0 is off
  std::uint64_t seed = 0;
  bool ignore_eos = false;
};

struct ModelSettings {
  std::string target;                        ///< folder or hub name; empty when not given
  std::optional<std::string> draft;          ///< none: the target alone
  DType dtype = DType::bfloat16;
  Device device = Device::automatic;
  bool dummy_weights = false;                ///< random weights of the folder's shapes
  int max_model_len = 0;                     ///< tokens, prompt included
  std::array<double, 2> gpu_memory_utilization{};  ///< target, draft: share of a GPU's memory each may take
};

struct BenchSettings {
  std::string task;      ///< task file (YAML)
  int num_problems = 0;
  int num_runs = 0;
  TestMode test_mode = TestMode::both;
  std::string output_dir;
  bool resume = false;
};

struct GenerateSettings {
  std::optional<std::string> prompt;        ///< positional argument
  std::optional<std::string> prompt_file;
  std::optional<TokenIds> prompt_ids;
  std::optional<std::string> messages;      ///< JSON list, or @file
  bool thinking = true;                     ///< the chat template's enable_thinking
  std::string color;                        ///< auto, always or never
  std::optional<std::string> trace;         ///< file that the run's trace is appended to
};

struct TokenizeSettings {
  std::string model;
  bool decode = false;
  bool skip_special = false;
};

struct PlanSettings {
  int gpus = 0;             ///< ranks
  double gpu_memory_gb = 0;  ///< GB (10^9 bytes) of one GPU
};

struct Settings {
  ScheduleSettings schedule;
  SamplingSettings sampling;
  ModelSettings models;
  BenchSettings bench;
  GenerateSettings generate;
  TokenizeSettings tokenize;
  PlanSettings plan;
  std::string data_dir;     ///< where task files find their problems
  int max_tokens = 0;       ///< generated tokens at most
  Format format = Format::automatic;
};

}  // namespace specthink
