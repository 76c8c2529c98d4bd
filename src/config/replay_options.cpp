// The rows of the option table that belong to replay.
#include "config/option_builder.h"

namespace specthink::inline config {

using enum Affects;
using Form = Text::Form;

void add_replay(TableBuilder& table) {
  using Part = ReplaySettings;
  using Loops = std::vector<ReplayLoop>;
  constexpr auto kPart = &Settings::replay;
  table.begin(Group::replay);
  table.add(kReplay, nothing,
            {"workload_file",
             "recorded runs, one JSON trace a line; without one, seed_runs/qwen3_32b_1.7b_workload.jsonl of data_dir"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::workload_file);
  table.add(kReplay, nothing, {"workloads", "which of them, counted from 0, such as 0,3,5-9; without it, all"},
            IndexList{}, {}, kPart, &Part::workloads);
  table.add(kReplay, nothing,
            {.key = "replay_loop",
             .help = "original: requests as recorded; fixed: the draft does not write again what a neutral probe has "
                     "written; target: the target alone writes all tokens; all: these three",
             .flag = "loop",
             .alias = "policy"},
            Choice<Loops>{{{"original", {ReplayLoop::original}},
                           {"fixed", {ReplayLoop::fixed}},
                           {"target", {ReplayLoop::target}},
                           {"all", {ReplayLoop::original, ReplayLoop::fixed, ReplayLoop::target}}},
                          {{"seed", "original"}}},
            Loops{ReplayLoop::original}, kPart, &Part::loops);
  table.add(kReplay, times,
            {"texts",
             "result file with the text of the recorded runs: its tokens take the place of sampled ones, so that "
             "proposals of n-grams hit as they would have, and the draft's as draft_acceptance says"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::texts);
  table.add(kReplay, times, {"tokenizer", "of these texts; without it, the target's"},
            Text{.form = Form::model, .name = "DIR|HUB_NAME"}, {}, kPart, &Part::tokenizer);
  table.add(kReplay, times, {"draft_acceptance", "with texts: chance that the target keeps a proposal of the draft"},
            Number{.min = 0, .max = 1}, 0.8, kPart, &Part::draft_acceptance);
  table.add(kReplay, nothing,
            {"step_table", "measure a decode step of each model at contexts of 1K, 4K, 8K and 16K tokens"}, Boolean{},
            true, kPart, &Part::step_table);
  table.add(kReplay, nothing,
            {"prefill_table", "measure the time to the first token after prompts and after catching up a few tokens"},
            Boolean{}, true, kPart, &Part::prefill_table);
  table.add(kReplay, times,
            {"step_timeline",
             "with the step table, show what each kernel of a step takes on rank 0's GPU (kernels for Hopper); the "
             "recording makes steps slower"},
            Boolean{}, false, kPart, &Part::step_timeline);
}

}  // namespace specthink::inline config
