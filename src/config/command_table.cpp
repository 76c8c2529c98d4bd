#include "config/option_table.h"

namespace specthink::inline config {

const std::vector<CommandInfo>& command_table() {
  static const std::vector<CommandInfo> table = {
      {kGenerate, RunsOn::engine, "generate", "answer a prompt",
       "Answers a prompt, given as the argument, with a flag, or on stdin. Streams text to stdout; with --format json "
       "prints one object: {\"ids\", \"text\", \"finish_reason\", \"ledger\"}.",
       "PROMPT"},
      {kScore, RunsOn::engine, "score", "log-probabilities of a text under a model",
       "Prints {\"ids\": [...], \"logprobs\": [...]}, where logprobs[i] is that of ids[i+1] after ids[0..i], of a text "
       "(the argument, a file, or stdin) or of token ids under the target; with --margins also \"margins\" and "
       "\"texts\".",
       "TEXT"},
      {kBench, RunsOn::engine, "bench", "time a set of problems, with and without the draft",
       "Runs the problems of a task, prints statistics, and writes result files. Each run is recorded as it ends, so "
       "that --resume can go on with an interrupted benchmark.",
       ""},
      {kEval, RunsOn::engine, "eval", "answer the problems of tasks and judge the answers, as the original's eval.py",
       "Answers the problems of one or several tasks, n times at each temperature, with speculative thinking or, "
       "without a draft, with the target alone; judges the answers and writes the original's files into --result-dir. "
       "Each run is recorded as it ends: the same command goes on with an interrupted evaluation.",
       ""},
      {kReport,
       RunsOn::rank_0,
       "report",
       "result files as one HTML page, or as Markdown",
       "Makes a page from result files of bench, eval and replay, those of the original program included: accuracy "
       "with intervals, comparisons, charts, each problem, and for chosen runs the text by who wrote it. The page "
       "needs no other file and no network. With --format markdown the tables go to stdout (or --output), with json as "
       "one object.",
       "FILE",
       {"report_files"},
       true},
      {kReplay, RunsOn::engine, "replay", "time recorded runs on any models, random weights included",
       "Runs the requests of recorded runs with their lengths: what is written does not matter, so that models with "
       "random weights (--dummy-weights) do and no tokenizer is needed. Prints where the time goes, milliseconds a "
       "step by context and their share of the memory's read bandwidth, as Markdown; with --format json one object. "
       "Each run is recorded as it ends, so that --resume can go on.",
       ""},
      {kServe, RunsOn::engine, "serve", "an HTTP server in the manner of the OpenAI API",
       "Answers /v1/chat/completions and /v1/completions, several requests at a time, until it is stopped (SIGTERM or "
       "SIGUSR1: what was accepted is answered first). Clients choose the target, the draft or the pair by model name; "
       "/v1/models lists them.",
       ""},
      {kTokenize, RunsOn::rank_0, "tokenize", "text to token ids and back",
       "Prints the token ids of a text (the argument, a file, or stdin). With --format jsonl each line {\"text\": ...} "
       "of the input becomes a line {\"ids\": [...]}. With --decode the reverse.",
       "TEXT"},
      {kImport,
       RunsOn::rank_0,
       "import",
       "a GGUF file as a model folder",
       "Writes the model of a GGUF file into a new folder as the other commands take it: weights dequantised to "
       "--dtype, config.json, tokenizer and chat template. Takes the memory of one tensor, not of the model.",
       "FILE.gguf DIR",
       {"gguf_file", "import_folder"}},
      {kPlan, RunsOn::rank_0, "plan", "memory of both models on given GPUs",
       "Prints weights, cache and workspace of both models per rank, whether they fit, and if not, which settings "
       "would make them fit. Loads no weights.",
       ""},
      {kMerge, RunsOn::rank_0, "merge", "the parts of a benchmark (bench --part) as one result",
       "Reads the run logs that the parts of a benchmark have written into --output-dir and writes the result file of "
       "the whole, as if it had run in one piece. Says what is missing while it is not complete.",
       ""},
      {kDoctor, RunsOn::every_rank, "doctor", "checks this machine: MPI, GPUs, NCCL, limits, model folders",
       "Prints one line a check: ok, warning or error with what to do. Run it as the job will run: alone, under mpirun "
       "or srun, in the container; with --config, --target or --draft it checks the model folders as well. Exit code 3 "
       "when a check fails.",
       ""},
      {kBenchKernels, RunsOn::rank_0, "bench-kernels", "time each kernel of a decode step alone",
       "Runs every kernel of one rank's decode step by itself on one GPU, and the linears and the attention of a "
       "prefill, in the shapes of the target, the draft and a Llama of 8 billion parameters, and prints times and "
       "shares of the read bandwidth as Markdown tables; with --format json one object. Needs one process and no "
       "weights.",
       ""},
      {kJudge, RunsOn::rank_0, "judge", "judge answers of any texts",
       "Reads lines {\"text\", \"gold\", \"dataset\"} and prints for each, in order, {\"correct\", \"answer\", "
       "\"judge\", \"reason\"}: whether the text's answer is the known one of that data set (math500, gsm8k, gpqa, "
       "...).",
       ""},
      {kConfig, RunsOn::rank_0, "config", "settings as they come out, and where each comes from",
       "Prints the resolved settings as a YAML file with the source of each; with --format json as one object.", ""},
  };
  return table;
}

const char* title_of(Group group) {
  switch (group) {
    case Group::input:
      return "Input";
    case Group::models:
      return "Models";
    case Group::ranks:
      return "Ranks";
    case Group::policy:
      return "Who writes which passage";
    case Group::schedule:
      return "Thinking schedule of policy sentiment";
    case Group::sampling:
      return "Sampling";
    case Group::bench:
      return "Benchmark";
    case Group::eval:
      return "Evaluation";
    case Group::report:
      return "Report";
    case Group::replay:
      return "Replay";
    case Group::tokenize:
      return "Tokenizer";
    case Group::import:
      return "Import";
    case Group::plan:
      return "Machine";
    case Group::kernels:
      return "Kernels";
    case Group::prompts:
      return "Prompts";
    case Group::judging:
      return "Problems and answers";
    case Group::serve:
      return "Server";
    case Group::output:
      return "Output";
  }
  return "";
}

}  // namespace specthink::inline config
