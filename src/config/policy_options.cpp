// The rows of the option table that belong to the policies: who writes which passage.
#include "config/option_builder.h"
#include "config/types/policy_types.h"
#include "specthink/config/policies.h"

namespace specthink::inline config {

using enum Affects;
using Form = Text::Form;

void add_policies(TableBuilder& table) {
  using Part = ScheduleSettings;
  constexpr auto kPart = &Settings::schedule;
  constexpr unsigned kRuns = kGenerate | kBench | kEval | kServe | kConfig;
  table.begin(Group::policy);
  std::vector<std::pair<std::string, Policy>> names;
  for (const Policy policy : kPolicies) names.emplace_back(name_of(policy), policy);
  table.add(kRuns, tokens,
            {"policy",
             "who writes which passage: docs/policies.md. sentiment: the draft, and the target where a thought begins "
             "doubtfully; relay: the target until a cue, the draft to the end of its sentence; score: the draft, and "
             "the target the steps that it judges to be bad; step_entropy, token_entropy: the target the steps and "
             "tokens of which the draft is unsure; random: the target by chance; target, draft: that model alone"},
            Choice<Policy>{names}, Policy::sentiment, kPart, &Part::policy);
  table.add(kRuns, tokens,
            {"cues",
             "policy relay: texts behind which the target leaves a sentence to the draft; qwen3 and r1 are the "
             "lists of its paper"},
            Cues{}, {}, kPart, &Part::cues);
  table.add(kRuns, tokens, {"answer_by", "policies relay, score, step_entropy: who writes behind </think>"},
            Choice<Role>{{{"draft", Role::draft}, {"target", Role::target}}}, Role::draft, kPart, &Part::answer_by);
  table.add(kRuns, tokens, {"score_threshold", "policy score: a step of a lower score is written anew by the target"},
            Number{.min = 0, .max = 10}, 7, kPart, &Part::score_threshold);
  table.add(kRuns, tokens,
            {"score_method", "policy score: the score is the likeliest digit, or the mean of the digits"},
            Choice<ScoreMethod>{{{"greedy", ScoreMethod::greedy}, {"average", ScoreMethod::average}}},
            ScoreMethod::greedy, kPart, &Part::score_method);
  const Text text{.null_allowed = false};
  table.add(kRuns, tokens, {"score_question", "policy score: what the target is asked behind a step"}, text,
            "Look at the last step of the reasoning alone. Is what it states true, and does it follow from the steps "
            "before it? Style and length do not matter. Answer with one digit, from 0 (wrong) to 9 (certainly right).",
            kPart, &Part::score_question);
  table.add(kRuns, tokens, {"score_answer_start", "policy score: what the target's answer begins with"},
            Text{.null_allowed = false, .empty = Text::Empty::text}, "<think>\n\n</think>\n\nScore: ", kPart,
            &Part::score_answer_start);
  table.add(kRuns, tokens, {"first_steps_by_target", "policy score: the target writes the first steps", "steps"},
            Integer{.min = 0}, 0, kPart, &Part::first_steps_by_target);
  table.add(kRuns, tokens,
            {"entropy_threshold",
             "the target writes where the entropy of the draft's next token is above this; without it 1 for policy "
             "step_entropy, 0.45 for token_entropy",
             "nats"},
            OptionalNumber{}, {}, kPart, &Part::entropy_threshold);
  table.add(
      kRuns, tokens,
      {"target_rate",
       "policy random: how often the target writes original_recap_token_num tokens at a trigger; auto: so that it "
       "writes the share of match_share"},
      TargetRateType{}, {}, kPart, &Part::target_rate);
  table.add(kRuns, tokens, {"match_share", "policy random: result file of a benchmark whose target share is held"},
            Text{.form = Form::path, .name = "FILE"}, {}, kPart, &Part::match_share);
  table.add(kRuns, tokens,
            {"thinking_budget", "after so many generated tokens the thinking is ended; 0: it is not", "tokens"},
            Integer{.min = 0}, 0, kPart, &Part::thinking_budget);
  table.add(kRuns, tokens, {"thinking_budget_words", "injected then, before </think>"},
            Text{.null_allowed = false, .empty = Text::Empty::text},
            "\n\nI have thought long enough and give my answer now.\n", kPart, &Part::thinking_budget_words);
}

void add_comparison(TableBuilder& table) {
  table.begin(Group::output);
  table.add(kScore, nothing,
            {"margins", "also the probability of the likeliest token minus that of the second, and each token's text"},
            Boolean{}, false, &Settings::score, &ScoreSettings::margins);
  constexpr unsigned kBenches = kBench | kConfig;
  table.begin(Group::bench);
  table.add(kBenches, nothing, {"policies", "all on the same problems and seeds, in one table"}, PolicyList{}, {},
            &Settings::bench, &BenchSettings::policies);
  table.add(kBenches, nothing,
            {"calibrate", "find the threshold or rate at which the target writes this share, instead of a benchmark"},
            OptionalNumber{.min = 0, .max = 1}, {}, &Settings::bench, &BenchSettings::calibrate);
}

}  // namespace specthink::inline config
