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

namespace specthink::inline config {

/// Variables of a chat template that are the program's, not for chat_template_kwargs.
constexpr std::array kReservedTemplateVariables{"messages", "add_generation_prompt"};

enum class Mode { vllm, vllm_p, hf };             ///< how the two models share text
enum class Compat { fixed, original };            ///< which loop (schedule/)
enum class DType { bfloat16, float16, float32 };  ///< compute type of the models
enum class Device { automatic, cpu, cuda };
/// How the decode kernels add the partial sums of the ranks: pushed by one product and received by the next (fused),
/// or by NCCL between them; automatic: fused where every pair of ranks can map each other's memory.
enum class AllReduce { automatic, fused, nccl };
enum class Format { automatic, text, json, jsonl, markdown };  ///< automatic: what the command prints by default
enum class TestMode { large, spec, both, all };                ///< all: both, and the draft alone

/// Who compares answers: this program's arithmetic, math-verify in a helper process, or the first and, for what it
/// leaves open, the second where that is installed.
enum class JudgeMode : std::uint8_t { exact, math_verify, both };

/// In which order a question's options stand: shuffled by question and seed, or the right one first as in the original.
enum class ChoiceOrder : std::uint8_t { shuffled, original };

/// Whose system prompts and user templates go around problems.
enum class ModelPromptsSource : std::uint8_t { none, original };

/// How a recorded run is replayed (replay/workload.h).
enum class ReplayLoop : std::uint8_t { original, fixed, target };

/// Who writes which passage (schedule/); target and draft: that model alone.
enum class Policy : std::uint8_t { sentiment, relay, score, step_entropy, token_entropy, random, target, draft };

/// How policy score makes a number of the distribution over the ten digits: the likeliest one, or their mean.
enum class ScoreMethod : std::uint8_t { greedy, average };

/// How often the target writes at a trigger of policy random.
struct TargetRate {
  bool automatic = false;  ///< as often as holds the target's share at that of a recorded benchmark
  double probability = 0;  ///< unless automatic

  friend bool operator==(const TargetRate&, const TargetRate&) = default;
};

/// The thinking schedule: the keys of the YAML files.
struct ScheduleSettings {
  Mode mode = Mode::vllm;
  Compat compat = Compat::fixed;
  std::vector<std::string> trigger_tokens;
  std::vector<std::string> verify_words;
  std::vector<std::string> negative_words;
  std::vector<std::string> positive_words;
  std::optional<std::string> help_think_word;  ///< never empty
  std::string help_recap_words;                ///< may be empty: a recap is then announced by nothing
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

  Policy policy = Policy::sentiment;
  std::vector<std::string> cues;  ///< policy relay; empty when not given
  Role answer_by = Role::draft;   ///< who writes behind the thinking
  double score_threshold = 0;     ///< steps of a lower score are thrown away
  ScoreMethod score_method = ScoreMethod::greedy;
  std::string score_question;
  std::string score_answer_start;           ///< what the target's answer to the question begins with
  int first_steps_by_target = 0;            ///< that nobody judges
  std::optional<double> entropy_threshold;  ///< nats; none: what the policy's paper has
  std::optional<TargetRate> target_rate;    ///< none when not given
  std::string match_share;                  ///< result file; empty when not given
  int thinking_budget = 0;                  ///< generated tokens after which </think> is injected; 0: none
  std::string thinking_budget_words;        ///< injected before it

  friend bool operator==(const ScheduleSettings&, const ScheduleSettings&) = default;
};

struct SamplingSettings {
  double temperature = 0;  ///< 0 is greedy
  double top_p = 1;
  int top_k = 0;  ///< 0 is off
  std::uint64_t seed = 0;
  bool ignore_eos = false;

  friend bool operator==(const SamplingSettings&, const SamplingSettings&) = default;
};

/// Who proposes tokens that a model verifies several at a time; automatic: everyone, as far as it pays.
enum class TokenSpeculation { automatic, off, ngram, draft };

struct SpeculationSettings {
  TokenSpeculation proposers = TokenSpeculation::automatic;
  int max_draft_tokens = 0;      ///< that the draft proposes for a step
  bool calibrate_steps = false;  ///< measure what steps cost instead of taking shipped figures

  friend bool operator==(const SpeculationSettings&, const SpeculationSettings&) = default;
};

/// How the weights of linear layers are kept; compute: as the compute type; automatic: as a folder stores them, where
/// that pays.
enum class WeightPrecision { automatic, compute, float8 };

/// Of decode steps on GPUs. automatic: the kernels for Hopper where they fit the GPU and the model, else portable ones,
/// else LibTorch operators; portable: portable ones where they fit; off: operators.
enum class DecodeKernels { automatic, portable, off };

struct ModelSettings {
  std::string target;                ///< folder or hub name; empty when not given
  std::optional<std::string> draft;  ///< none: the target alone
  DType dtype = DType::bfloat16;
  std::array<WeightPrecision, 2> weights{};  ///< target, draft
  Device device = Device::automatic;
  AllReduce all_reduce = AllReduce::automatic;
  DecodeKernels decode_kernels = DecodeKernels::automatic;
  bool dummy_weights = false;  ///< random weights of the folder's shapes
  int max_model_len = 0;       ///< tokens, prompt included
  /// Target, draft: share of a GPU's memory each may take; none: as they need (model/memory_plan.h).
  std::optional<std::array<double, 2>> gpu_memory_utilization;
  int target_model_gpu = 0;         ///< GPUs in the layout of old files, which nothing uses: both models are sharded
  int speculative_model_gpu = 0;    ///< over every rank
  int tp = 0;                       ///< ranks that share the models; 0: all
  bool oversubscribe_gpus = false;  ///< groups may share a GPU
  double collective_timeout = 0;    ///< seconds without progress after which a job ends; 0: never

  friend bool operator==(const ModelSettings&, const ModelSettings&) = default;
};

/// One of several equal shares of a benchmark: 2/4 is the second of four.
struct Part {
  int number = 1;  ///< from 1
  int of = 1;

  bool is_whole() const { return of == 1; }
  friend bool operator==(const Part&, const Part&) = default;
};

constexpr int kMaxBatch = 128;  ///< sequences that share the steps of a model

struct BenchSettings {
  std::string task;  ///< task file (YAML); empty: AIME25
  int num_problems = 0;
  int num_runs = 0;
  int batch = 0;         ///< runs at a time; 0: as many as memory and kernels allow
  bool reserve = false;  ///< pages for max_tokens when a run begins
  Part part;
  TestMode test_mode = TestMode::both;
  std::string output_dir;
  bool resume = false;
  std::vector<Policy> policies;     ///< compared with each other; empty: one benchmark of schedule.policy
  std::optional<double> calibrate;  ///< the target's share that a threshold is looked for
  bool use_2gpu = true;             ///< a flag of the old script; nothing uses it

  friend bool operator==(const BenchSettings&, const BenchSettings&) = default;
};

/// The original's evaluation: tasks, temperatures and which problems.
struct EvalSettings {
  std::vector<std::string> evals;  ///< task names or files
  int n = 0;                       ///< samples of a problem
  std::vector<double> temperatures;
  int start = 0;                     ///< first problem of those that the filters leave
  int end = -1;                      ///< the one behind the last; -1: all
  std::optional<std::string> split;  ///< of the data set; empty here and below: as the task file says
  std::optional<std::string> subset;
  std::optional<std::string> difficulty;
  std::optional<std::string> source;
  bool filter_difficulty = false;
  std::optional<int> math_difficulty_lower_bound;
  std::optional<int> math_difficulty_upper_bound;
  std::string result_dir;
  bool check = false;      ///< judge saved answers anew
  bool inference = false;  ///< generate, judge nothing

  friend bool operator==(const EvalSettings&, const EvalSettings&) = default;
};

struct ReportSettings {
  std::vector<std::string> files;
  std::optional<std::string> output;  ///< none: report.html
  std::string texts;                  ///< auto, none, all or a list (evaluation/report_data.h)

  friend bool operator==(const ReportSettings&, const ReportSettings&) = default;
};

struct GenerateSettings {             // at most one of the first four is set
  std::optional<std::string> prompt;  ///< the positional argument (of score and tokenize: the text)
  std::optional<std::string> prompt_file;
  std::optional<TokenIds> prompt_ids;
  std::optional<std::string> messages;  ///< JSON list, or @file
  bool thinking = true;                 ///< the chat template's enable_thinking
  std::string color;                    ///< auto, always or never
  std::optional<std::string> trace;     ///< file that the run's trace is appended to

  friend bool operator==(const GenerateSettings&, const GenerateSettings&) = default;
};

struct TokenizeSettings {
  std::string model;  ///< folder or hub name; empty when not given
  bool decode = false;
  bool skip_special = false;

  friend bool operator==(const TokenizeSettings&, const TokenizeSettings&) = default;
};

struct ScoreSettings {
  bool margins = false;  ///< probability of the likeliest token minus that of the second

  friend bool operator==(const ScoreSettings&, const ScoreSettings&) = default;
};

struct ImportSettings {
  std::string gguf_file;  ///< the first argument
  std::string folder;     ///< the second one

  friend bool operator==(const ImportSettings&, const ImportSettings&) = default;
};

struct PlanSettings {
  int gpus = 0;               ///< ranks
  double gpu_memory_gib = 0;  ///< GiB (2^30 bytes) of one GPU: an "80 GB" GPU has about 80

  friend bool operator==(const PlanSettings&, const PlanSettings&) = default;
};

/// Indices first to last, both included.
struct IndexRange {
  int first = 0;
  int last = 0;

  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

struct ReplaySettings {
  std::string workload_file;                         ///< JSONL of traces; empty: the recorded ones of data_dir
  std::optional<std::vector<IndexRange>> workloads;  ///< lines of that file; none: all
  std::vector<ReplayLoop> loops;                     ///< in the order in which they run
  std::string texts;              ///< result file with the text of the recorded runs; empty: random tokens
  std::string tokenizer;          ///< folder or hub name of the tokenizer of these texts; empty: the target's
  double draft_acceptance = 0.8;  ///< with texts: chance that the target keeps a proposal of the draft
  bool step_table = true;
  bool step_timeline = false;
  bool prefill_table = true;

  friend bool operator==(const ReplaySettings&, const ReplaySettings&) = default;
};

/// The HTTP server.
struct ServeSettings {
  std::string host;
  int port = 0;
  std::string api_key;  ///< empty: none is asked for
  int max_queue = 0;    ///< runs that wait
  int max_connections = 0;
  int max_request_bytes = 0;
  double request_timeout = 0;  ///< seconds for a request to arrive
  double queue_timeout = 0;    ///< seconds for it to begin
  double drain_timeout = 0;    ///< seconds after a stop for what was accepted
  bool keep_prefixes = false;  ///< what the caches have of an answered request, while there is room

  friend bool operator==(const ServeSettings&, const ServeSettings&) = default;
};

struct BenchKernelsSettings {
  int ranks = 0;  ///< that share a model; one of them is timed

  friend bool operator==(const BenchKernelsSettings&, const BenchKernelsSettings&) = default;
};

/// What prompts consist of besides the problem, and how answers are judged.
struct EvaluationSettings {
  JudgeMode judge = JudgeMode::both;
  ChoiceOrder choice_order = ChoiceOrder::shuffled;
  std::string answers;                                ///< JSONL of texts to judge; empty: stdin
  std::optional<std::string> system_prompt;           ///< text, or @file
  std::optional<std::string> system_prompt_template;  ///< a name in model_configs
  ModelPromptsSource model_prompts = ModelPromptsSource::none;
  std::string model_configs;         ///< the original's model_configs.yaml; empty: of data_dir
  std::string chat_template_kwargs;  ///< a JSON object; empty: none

  friend bool operator==(const EvaluationSettings&, const EvaluationSettings&) = default;
};

struct Settings {
  ScheduleSettings schedule;
  SamplingSettings sampling;
  SpeculationSettings speculation;
  ModelSettings models;
  BenchSettings bench;
  EvalSettings eval;
  ReportSettings report;
  GenerateSettings generate;
  TokenizeSettings tokenize;
  ScoreSettings score;
  ImportSettings import;
  PlanSettings plan;
  ReplaySettings replay;
  BenchKernelsSettings bench_kernels;
  ServeSettings serve;
  EvaluationSettings evaluation;
  std::string data_dir;  ///< where task files find their problems first, and recorded runs; empty when not given
  int max_tokens = 0;    ///< generated tokens at most
  Format format = Format::automatic;

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace specthink::inline config
