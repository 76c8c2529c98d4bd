#include "config/option_table.h"

#include <algorithm>
#include <tuple>

#include "config/option_builder.h"
#include "specthink/base/strings.h"

namespace specthink::inline config {
namespace {

using enum Affects;
using Form = Text::Form;
using Empty = Text::Empty;

void add_input(TableBuilder& table) {
  using Part = GenerateSettings;
  constexpr auto kPart = &Settings::generate;
  table.begin(Group::input);
  table.add(kGenerate | kScore | kTokenize, tokens, {"prompt", "the text; the same as the argument without a flag"},
            Text{.empty = Empty::text}, {}, kPart, &Part::prompt);
  table.add(kGenerate | kScore | kTokenize, tokens,
            {"prompt_file", "file with the text; without any text, stdin is read"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::prompt_file);
  table.add(kGenerate | kScore, tokens, {"prompt_ids", "token ids instead of text; needs no tokenizer"}, IdList{}, {},
            kPart, &Part::prompt_ids);
  table.add(kGenerate, tokens, {"messages", "chat as a JSON list of {\"role\", \"content\"}, or @FILE that holds one"},
            Text{.form = Form::text_or_at_path, .name = "JSON|@FILE"}, {}, kPart, &Part::messages);
  table.add(kGenerate | kBench | kEval | kServe, tokens, {"thinking", "the chat template lets the model think"},
            Boolean{}, true, kPart, &Part::thinking);
}

void add_models(TableBuilder& table) {
  using Part = ModelSettings;
  constexpr auto kPart = &Settings::models;
  constexpr unsigned kRuns = kGenerate | kScore | kBench | kEval | kReplay | kServe | kDoctor | kConfig;
  const Choice<DecodeKernels> kernels{
      {{"auto", DecodeKernels::automatic}, {"portable", DecodeKernels::portable}, {"off", DecodeKernels::off}},
      {{"true", "auto"}, {"false", "off"}}};
  const Text model{.form = Form::model, .name = "DIR|HUB_NAME"};
  Text draft = model;
  draft.none_is_null = true;
  table.begin(Group::models);
  table.add(kRuns | kPlan | kBenchKernels, tokens,
            {.key = "target_model_name",
             .help = "the large model: a folder, or a hub name in the local cache",
             .flag = "target",
             .alias = "target-model-name"},
            model, {}, kPart, &Part::target);
  table.add(kGenerate | kBench | kEval | kReplay | kServe | kPlan | kDoctor | kBenchKernels | kConfig, tokens,
            {.key = "speculative_model_name",
             .help = "the small model that writes the chain of thought; none (in YAML null): the target alone",
             .flag = "draft",
             .alias = "speculative-model-name"},
            draft, {}, kPart, &Part::draft);
  table.add(kRuns | kPlan | kBenchKernels | kImport, tokens,
            {"dtype", "compute type of both models; of the weights that are written"},
            Choice<DType>{{{"bfloat16", DType::bfloat16}, {"float16", DType::float16}, {"float32", DType::float32}}},
            DType::bfloat16, kPart, &Part::dtype);
  table.add(
      kRuns | kPlan | kBenchKernels, tokens,
      {"weights",
       "how the layers' matrices are kept, of target and draft (one for both): bf16: as the compute type; fp8: as "
       "8-bit floats with a factor for each block of 128 x 128, quantised when a folder has others; auto: fp8 on "
       "GPUs where a folder has them"},
      Precisions{}, {}, kPart, &Part::weights);
  table.add(kRuns, tokens, {"device", "where the models run; auto: on a GPU if there is one"},
            Choice<Device>{{{"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda}}},
            Device::automatic, kPart, &Part::device);
  table.add(kRuns, tokens,
            {"all_reduce",
             "how the GPUs add their sums; fused: inside the kernels, over memory mapped between the GPUs of a node; "
             "auto: fused where that works"},
            Choice<AllReduce>{{{"auto", AllReduce::automatic}, {"fused", AllReduce::fused}, {"nccl", AllReduce::nccl}}},
            AllReduce::automatic, kPart, &Part::all_reduce);
  table.add(kRuns, tokens,
            {"decode_kernels", "how GPUs decode; auto: by kernels for Hopper where they fit, else by plain ones for any "
                               "GPU (portable), else by LibTorch's operators (off)"},
            kernels, DecodeKernels::automatic, kPart, &Part::decode_kernels);
  table.add(kRuns, tokens, {"dummy_weights", "random weights in the shapes of config.json; no weight files are read"},
            Boolean{}, false, kPart, &Part::dummy_weights);
  table.add(kRuns | kPlan, tokens,
            {"max_model_len", "prompt and generated text at most; a model's own limit counts, too", "tokens"},
            Integer{}, 32768, kPart, &Part::max_model_len);
  table.add(kRuns | kPlan, nothing,
            {"gpu_memory_utilization",
             "share of a GPU's memory that target and draft may take for weights, cache and workspace; auto: 0.9 in "
             "all, divided as the models need it"},
            Shares{}, {}, kPart, &Part::gpu_memory_utilization);
  table.add(kGenerate | kBench | kEval | kServe | kConfig, nothing,
            {"target_model_gpu", "accepted from old files without effect: both models run on every rank", "GPUs"},
            Integer{}, 2, kPart, &Part::target_model_gpu);
  table.add(kGenerate | kBench | kEval | kServe | kConfig, nothing,
            {"speculative_model_gpu", "accepted from old files without effect, as target_model_gpu", "GPUs"}, Integer{},
            1, kPart, &Part::speculative_model_gpu);
}

void add_ranks(TableBuilder& table) {
  using Part = ModelSettings;
  constexpr auto kPart = &Settings::models;
  constexpr unsigned kRuns = kGenerate | kScore | kBench | kEval | kReplay | kServe | kConfig;
  table.begin(Group::ranks);
  table.add(kRuns | kDoctor, nothing,
            {"tp",
             "tensor parallelism: the models are sharded over groups of so many ranks, and each group of a benchmark "
             "takes the next run; 0: all ranks are one group",
             "ranks"},
            Integer{.min = 0}, 0, kPart, &Part::tp);
  table.add(kRuns | kDoctor, times,
            {"oversubscribe_gpus",
             "groups may share a GPU; ranks of one group never do, NCCL refuses it, so this needs --tp 1 or as many "
             "GPUs as --tp; lower gpu_memory_utilization, which counts for each rank"},
            Boolean{}, false, kPart, &Part::oversubscribe_gpus);
  table.add(kRuns, nothing,
            {"collective_timeout",
             "a job ends when a rank is stopped, stuck or missing in a collective for so long; 0: it waits for ever",
             "seconds"},
            Number{.min = 0}, 300, kPart, &Part::collective_timeout);
}

void add_schedule(TableBuilder& table) {
  using Part = ScheduleSettings;
  constexpr auto kPart = &Settings::schedule;
  constexpr unsigned kRuns = kGenerate | kBench | kEval | kServe | kConfig;
  table.begin(Group::schedule);
  table.add(kRuns, tokens,
            {"mode", "vllm: the models share token ids; vllm_p: they share text; hf: the draft goes token by token"},
            Choice<Mode>{{{"vllm", Mode::vllm}, {"vllm_p", Mode::vllm_p}, {"hf", Mode::hf}}}, Mode::vllm, kPart,
            &Part::mode);
  table.add(kRuns, tokens,
            {"compat", "fixed: the corrected loop; original: exactly as the original program, faults included"},
            Choice<Compat>{{{"fixed", Compat::fixed}, {"original", Compat::original}}, {{"seed", "original"}}},
            Compat::fixed, kPart, &Part::compat);
  table.add(kRuns, tokens, {"TRIGGER_TOKENS", "texts that end a thought, where the schedule decides who goes on"},
            WordList{}, {"\n\n"}, kPart, &Part::trigger_tokens);
  const Keywords::Value words{{"verify", "think again", "recap", "check"},
                              {"wait", "alternatively", "hold on", "another"},
                              {"yeah", "yes", "final answer", "confident"}};
  table.add(
      kRuns, tokens,
      {"TARGET_VALIDATION_KEYWORDS",
       "{verify: [...], negative: [...], positive: [...]}, the cue words of a thought; a list left out is the default"},
      Keywords{words}, words,
      [](const Settings& settings) {
        const Part& part = settings.schedule;
        return Keywords::Value{part.verify_words, part.negative_words, part.positive_words};
      },
      [](Settings& settings, Keywords::Value value) {
        Part& part = settings.schedule;
        std::tie(part.verify_words, part.negative_words, part.positive_words) =
            std::tie(value.verify, value.negative, value.positive);
      });
  table.add(kRuns, tokens, {"help_think_word", "text injected before each probe; none (in YAML null) for no text"},
            Text{.empty = Empty::null, .none_is_null = true}, {}, kPart, &Part::help_think_word);
  table.add(kRuns, tokens, {"help_recap_words", "text injected before a recap"},
            Text{.null_allowed = false, .empty = Empty::text},
            "Let me check whether there are some wrong steps:", kPart, &Part::help_recap_words);
  table.add(kRuns, tokens, {"not_reasoning", "ask the target at every trigger, whatever the probe says"}, Boolean{},
            false, kPart, &Part::not_reasoning);
  table.add(kRuns, tokens, {"choose_large", "whenever the target was asked, keep its text"}, Boolean{}, true, kPart,
            &Part::choose_large);
  table.add(kRuns, tokens, {"max_target_tokens", "length of a probe and of the target's answer to it", "tokens"},
            Integer{}, 20, kPart, &Part::max_target_tokens);
  table.add(kRuns, tokens, {"begin", "the target writes the first tokens"}, Boolean{}, false, kPart, &Part::begin);
  table.add(kRuns, tokens, {"begin_token_num", "how many, with begin", "tokens"}, Integer{}, 100, kPart,
            &Part::begin_token_num);
  table.add(kRuns, tokens,
            {"original_recap_token_num", "length of a takeover after a verify word, and of the first recap", "tokens"},
            Integer{}, 125, kPart, &Part::original_recap_token_num);
  table.add(kRuns, tokens,
            {"recap_after_negative_num", "negative thoughts before a recap; 0: a recap at every trigger", "thoughts"},
            Integer{.min = 0}, 15, kPart, &Part::recap_after_negative_num);
  table.add(kRuns, tokens, {"add_each_recap", "growth of the recap length after each recap", "tokens"},
            Integer{.min = 0}, 25, kPart, &Part::add_each_recap);
  table.add(kRuns, tokens, {"add_each_neg", "growth of recap_after_negative_num after each recap", "thoughts"},
            Integer{.min = 0}, 5, kPart, &Part::add_each_neg);
  table.add(kRuns, tokens, {"max_recap_token_num", "limit of that recap length", "tokens"}, Integer{}, 200, kPart,
            &Part::max_recap_token_num);
  table.add(kRuns, tokens, {"max_negative_num", "limit of that number of negative thoughts", "thoughts"},
            Integer{.min = 0}, 30, kPart, &Part::max_negative_num);
  table.add(kRuns, tokens, {"time_out", "above 0: a run ends after this time", "seconds"}, Number{.if_null = -1}, -1,
            kPart, &Part::time_out);
}

void add_sampling(TableBuilder& table) {
  using Part = SamplingSettings;
  constexpr auto kPart = &Settings::sampling;
  constexpr unsigned kRuns = kGenerate | kBench | kEval | kServe | kConfig;
  table.begin(Group::sampling);
  table.add((kRuns & ~kEval) | kReplay, tokens, {"temperature", "0 is greedy"}, Number{.min = 0}, 0.6, kPart,
            &Part::temperature);
  table.add(kRuns | kReplay, tokens, {"top_p", "the most likely tokens with this probability together; 1 is off"},
            Number{.min = 0, .max = 1, .excludes_min = true}, 0.95, kPart, &Part::top_p);
  table.add(
      kRuns | kReplay, tokens, {"top_k", "the most likely tokens; 0 or -1 is off"}, Integer{.min = -1}, 20,
      [](const Settings& settings) { return settings.sampling.top_k; },
      [](Settings& settings, int top_k) { settings.sampling.top_k = std::max(0, top_k); });
  table.add(kRuns, tokens, {"max_tokens", "generated tokens at most", "tokens"}, Integer{}, 32768,
            &Settings::max_tokens);
  table.add(kRuns | kScore | kReplay, tokens, {"seed", "of every random draw"}, Seed{}, 0, kPart, &Part::seed);
  table.add(kRuns, tokens, {"ignore_eos", "go on to max_tokens whatever is written"}, Boolean{}, false, kPart,
            &Part::ignore_eos);
}

void add_speculation(TableBuilder& table) {
  using Part = SpeculationSettings;
  constexpr auto kPart = &Settings::speculation;
  constexpr unsigned kRuns = kGenerate | kBench | kEval | kReplay | kServe | kConfig;
  table.begin(Group::sampling);
  table.add(kRuns, times,
            {"token_speculation",
             "who proposes tokens that a model verifies several at a time, which changes no token but by rounding; "
             "ngram: the text so far, for either model; draft: the draft, for the target; auto: both, where it pays"},
            Choice<TokenSpeculation>{{{"auto", TokenSpeculation::automatic},
                                      {"off", TokenSpeculation::off},
                                      {"ngram", TokenSpeculation::ngram},
                                      {"draft", TokenSpeculation::draft}}},
            TokenSpeculation::automatic, kPart, &Part::proposers);
  table.add(kRuns, times, {"max_draft_tokens", "that the draft proposes at a time", "tokens"}, Integer{.max = 15}, 8,
            kPart, &Part::max_draft_tokens);
  table.add(kRuns, times,
            {"calibrate_steps",
             "measure before the first run what steps of several rows cost, instead of taking shipped figures"},
            Boolean{}, false, kPart, &Part::calibrate_steps);
}

void add_bench(TableBuilder& table) {
  using Part = BenchSettings;
  constexpr auto kPart = &Settings::bench;
  constexpr unsigned kRuns = kBench | kConfig;
  table.begin(Group::bench);
  table.add(
      kRuns | kReport, tokens,
      {.key = "task", .help = "task file (YAML): template and problems; without one, AIME25", .alias = "aime-config"},
      Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::task);
  table.add(kRuns | kEval | kReport | kReplay, nothing,
            {.key = "data_dir",
             .help = "where a task's problems are looked for first, and recorded runs",
             .environment = "SPECTHINK_DATA"},
            Text{.form = Form::path, .name = "DIR"}, {}, &Settings::data_dir);
  table.add(kRuns, nothing, {"num_problems", "how many, from the first on", "problems"}, Integer{}, 5, kPart,
            &Part::num_problems);
  table.add(kRuns, nothing, {"num_runs", "of each problem", "runs"}, Integer{}, 5, kPart, &Part::num_runs);
  add_batching(table);
  table.add(kRuns | kEval, nothing,
            {"part", "only this share of the problems: every N-th from the K-th on; `merge` joins the parts"},
            PartOfWhole{}, {}, kPart, &Part::part);
  table.add(
      kRuns, nothing,
      {"test_mode", "the target alone, speculative thinking, both and their ratio, or these and the draft alone"},
      Choice<TestMode>{
          {{"large", TestMode::large}, {"spec", TestMode::spec}, {"both", TestMode::both}, {"all", TestMode::all}}},
      TestMode::both, kPart, &Part::test_mode);
  table.add(kRuns, nothing, {"use_2gpu", "of the old script, without effect: all ranks are used"}, Boolean{}, true,
            kPart, &Part::use_2gpu);
  table.add(
      kRuns | kEval | kReplay, nothing,
      {"resume", "go on with an interrupted benchmark or replay of the same settings in output_dir; eval always does"},
      Boolean{}, false, kPart, &Part::resume);
  table.add(kRuns | kReplay | kMerge, nothing, {"output_dir", "folder of the result files"},
            Text{.form = Form::path, .name = "DIR", .null_allowed = false}, "benchmark_results", kPart,
            &Part::output_dir);
}

void add_tools(TableBuilder& table) {
  table.begin(Group::tokenize);
  table.add(kTokenize, tokens, {"model", "folder or hub name whose tokenizer is used; without it, the target's"},
            Text{.form = Form::model, .name = "DIR|HUB_NAME"}, {}, &Settings::tokenize, &TokenizeSettings::model);
  table.add(kTokenize, tokens, {"decode", "ids in, text out"}, Boolean{}, false, &Settings::tokenize,
            &TokenizeSettings::decode);
  table.add(kTokenize, tokens, {"skip_special", "leave special tokens out of decoded text"}, Boolean{}, false,
            &Settings::tokenize, &TokenizeSettings::skip_special);

  const auto path = [](const char* name) { return Text{.form = Text::Form::path, .name = name}; };
  table.begin(Group::import);
  table.add(kImport, nothing, {"gguf_file", "what is imported; the same as the first argument"}, path("FILE"), {},
            &Settings::import, &ImportSettings::gguf_file);
  table.add(kImport, nothing, {"import_folder", "the folder that is made; the same as the second argument"},
            path("DIR"), {}, &Settings::import, &ImportSettings::folder);

  table.begin(Group::plan);
  table.add(kPlan, nothing, {"gpus", "how many, one rank each", "GPUs"}, Integer{}, 2, &Settings::plan,
            &PlanSettings::gpus);
  table.add(kPlan, nothing, {"gpu_memory", "of one GPU (an \"80 GB\" GPU has about 80)", "GiB"},
            Number{.min = 0, .max = 1e6, .excludes_min = true}, 80, &Settings::plan, &PlanSettings::gpu_memory_gib);

  table.begin(Group::kernels);
  table.add(kBenchKernels, times, {"ranks", "over which the models are sharded; the first one's part is timed", "GPUs"},
            Integer{}, 2, &Settings::bench_kernels, &BenchKernelsSettings::ranks);
}

void add_output(TableBuilder& table) {
  table.begin(Group::output);
  table.add(kGenerate | kBench, nothing,
            {"trace", "file to which each run appends a JSON line: who wrote how many tokens"},
            Text{.form = Form::path, .name = "FILE"}, {}, &Settings::generate, &GenerateSettings::trace);
  table.add(kGenerate, nothing, {"color", "colours by who wrote the text; auto: when stdout is a terminal"},
            Choice<std::string>{{{"auto", "auto"}, {"always", "always"}, {"never", "never"}}}, "auto",
            &Settings::generate, &GenerateSettings::color);
  table.add(
      kEveryCommand, nothing,
      {"format", "of the result on stdout; auto: as suits the command; jsonl is for tokenize, markdown for report"},
      Choice<Format>{{{"auto", Format::automatic},
                      {"text", Format::text},
                      {"json", Format::json},
                      {"jsonl", Format::jsonl},
                      {"markdown", Format::markdown}}},
      Format::automatic, &Settings::format);
}

}  // namespace

const std::vector<Option>& option_table() {
  static const std::vector<Option> table = [] {
    TableBuilder builder;
    add_input(builder);
    add_models(builder);
    add_ranks(builder);
    add_policies(builder);
    add_schedule(builder);
    add_sampling(builder);
    add_speculation(builder);
    add_bench(builder);
    add_comparison(builder);
    add_eval(builder);
    add_report(builder);
    add_replay(builder);
    add_tools(builder);
    add_server(builder);
    add_prompts(builder);
    add_judging(builder);
    add_output(builder);
    return builder.take();
  }();
  return table;
}

const Option* find_option(std::string_view key) {
  const auto& table = option_table();
  const auto option = std::find_if(table.begin(), table.end(), [&](const Option& option) { return option.key == key; });
  return option == table.end() ? nullptr : &*option;
}

std::string suggest_key(std::string_view word) {
  std::vector<std::string> names;
  std::vector<const Option*> options;
  for (const Option& option : option_table()) {
    for (const std::string& name : {option.key, option.flag, option.alias}) {
      if (name.empty()) continue;
      names.push_back(key_spelling(name));
      options.push_back(&option);
    }
  }
  const std::string name = nearest(key_spelling(std::string(word)), names);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return "";
  return fmt::format(" (did you mean '{}'?)", options[static_cast<std::size_t>(found - names.begin())]->key);
}

}  // namespace specthink::inline config
