// The original's files of an evaluation, from made-up runs.
#include "specthink/evaluation/eval_files.h"

#include <gtest/gtest.h>

#include <future>
#include <set>
#include <sstream>

#include "evaluation/benchmark_fixtures.h"
#include "specthink/evaluation/work_stages.h"

namespace specthink {
namespace {

std::vector<EvalStage> made_up_stages(const std::vector<Problem>& problems) {
  std::vector<EvalStage> stages;
  for (const double temperature : {0.6, 1.0}) {
    EvalStage& stage = stages.emplace_back();
    stage.temperature = temperature;
    for (std::size_t problem = 0; problem < problems.size(); ++problem) {
      for (std::size_t run = 0; run < 2; ++run) {
        const RunKey key{RunMode::spec, problem, run};
        RunRecord record = make_record(key, made_up_outcome(problems[problem], key));
        if (problems[problem].answer) {
          record.answer = run == 0 ? *problems[problem].answer : "99";
          record.correct = run == 0;
        }
        stage.records.push_back(std::move(record));
      }
    }
  }
  return stages;
}

OrderedJson user_alone(const std::string& prompt) {
  return OrderedJson::array({{{"role", "user"}, {"content", prompt}}});
}

TEST(eval_files, names_are_the_originals) {
  const EvalName name{.system = "1b_32b.yml",
                      .task = "aime25",
                      .split = "train",
                      .subset = "",
                      .filter_difficulty = false,
                      .start = 0,
                      .end = -1,
                      .temperatures = {0.6, 1},
                      .n = 5};
  EXPECT_EQ(eval_file_stem(name), "1b_32b.yml_aime25_train_subset_None_filter_False_s0_e-1_t0.6,1.0_n5");
  EXPECT_EQ(temperature_key(0), "0.0");
  EXPECT_EQ(temperature_key(0.75), "0.75");
}

TEST(eval_files, names_tell_filters_apart) {
  EvalName name{.system = "Big-7B", .is_one_model = true, .task = "numina", .split = "train", .temperatures = {0.6}};
  const std::string plain = "Big-7B_numina_train_subset_None_filter_False_s0_e-1_t0.6_n1";
  EXPECT_EQ(eval_file_stem(name), plain);
  name.filter_difficulty = true;
  name.math_difficulty_upper_bound = 9;
  const std::string bounded = "Big-7B_Big-7B_numina_train_subset_None_filter_True_s0_e-1_t0.6_n1_9";
  EXPECT_EQ(eval_file_stem(name), bounded) << "as the original has it";
  name.math_difficulty_lower_bound = 4;
  EXPECT_EQ(eval_file_stem(name), bounded + "_lower_4");

  // Every two of these filters have two names, of a model and of a configuration.
  std::set<std::string> names;
  for (const bool is_one_model : {false, true}) {
    const auto add = [&](auto change) {
      EvalName other{.system = is_one_model ? "x" : "x.yml", .is_one_model = is_one_model, .task = "t"};
      other.temperatures = {0.6};
      change(other);
      names.insert(eval_file_stem(other));
    };
    add([](EvalName&) {});
    add([](EvalName& n) { n.filter_difficulty = true; });
    add([](EvalName& n) { n.difficulty = "hard"; });
    add([](EvalName& n) { n.source = "hard"; });
    add([](EvalName& n) { n.math_difficulty_lower_bound = 4; });
    add([](EvalName& n) { n.math_difficulty_lower_bound = 5; });
    add([](EvalName& n) { n.math_difficulty_upper_bound = 4; });
    add([](EvalName& n) { n.math_difficulty_upper_bound = 5; });
    add([](EvalName& n) { n.math_difficulty_upper_bound = n.math_difficulty_lower_bound = 5; });
  }
  EXPECT_EQ(names.size(), 18u);
  name.source = "a/b";
  EXPECT_EQ(eval_file_stem(name).find('/'), std::string::npos) << "no folder";
}

TEST(eval_files, document_and_metrics) {
  const std::vector<Problem> problems = made_up_problems();
  const OrderedJson document = eval_document("made up", problems, made_up_stages(problems), user_alone);
  ASSERT_EQ(document.size(), 3u);
  const OrderedJson& one = document.at("one");
  EXPECT_EQ(one.at("responses").at("0.6").size(), 2u);
  EXPECT_EQ(one.at("responses").at("1.0")[0].at("correctness"), true);
  EXPECT_EQ(one.at("responses").at("1.0")[0].at("reason"), "");
  EXPECT_EQ(one.at("responses").at("1.0")[1].at("reason"), "99 is not 11");
  EXPECT_TRUE(document.at("three").at("responses").at("0.6")[0].at("correctness").is_null());
  const OrderedJson& usage = one.at("token_usages").at("0.6")[1];
  EXPECT_EQ(usage.at("completion_tokens"), 41);
  EXPECT_EQ(usage.at("prompt_tokens"), 17);
  EXPECT_EQ(usage.at("try_correct"), 3);
  EXPECT_EQ(usage.at("correct_tokens")[0].at("traget"), "Wait");
  EXPECT_TRUE(usage.at("time_spend").is_number());

  EXPECT_EQ(one.at("prompt"), "Solve one");
  const OrderedJson templated = eval_document("made up", problems, {}, [](const std::string& prompt) {
    OrderedJson messages = user_alone(prompt + " Think.");
    messages.insert(messages.begin(), OrderedJson{{"role", "system"}, {"content", "Be brief."}});
    return messages;
  });
  EXPECT_EQ(templated.at("one").at("prompt"), "Solve one Think.") << "what the model was asked";
  EXPECT_EQ(templated.at("one").at("input_conversation")[0].at("content"), "Be brief.");

  const OrderedJson metrics = eval_metrics(document, "x");
  EXPECT_EQ(metrics.at("completion_tokens"), 2 * (40 + 41 + 50 + 51 + 60 + 61));
  EXPECT_EQ(metrics.at("avg_completion_tokens"), 50.5);
  EXPECT_EQ(metrics.at("prompt_tokens"), 12 * 17);
  EXPECT_EQ(metrics.at("accuracy").at("temp=0.6"), 0.5);
  EXPECT_EQ(metrics.at("pass_at_k").at("temp=0.6").at("k=2"), 100);
  EXPECT_EQ(metrics.at("pass_at_k").at("temp=0.6").at("k=1"), 50);
  EXPECT_EQ(metrics.at("statistics").at("temp=1.0").at("accuracy").at("problems"), 2);
}

TEST(eval_files, answers_are_judged_anew) {
  const std::vector<Problem> problems = made_up_problems();
  OrderedJson document = eval_document("made up", problems, made_up_stages(problems), user_alone);
  document.at("one").at("responses").at("0.6")[0]["correctness"] = false;
  EXPECT_EQ(check_document(document, problems, Judge(), AnswerRule(), "x"), 8u);
  EXPECT_EQ(document.at("one").at("responses").at("0.6")[0].at("correctness"), true) << "its text has \\boxed{11}";
  EXPECT_EQ(document.at("one").at("responses").at("0.6")[0].at("answer"), "11");
  EXPECT_TRUE(document.at("three").at("responses").at("0.6")[0].at("correctness").is_null()) << "there is no answer";
  OrderedJson broken = OrderedJson::parse(R"({"p": {"responses": {"0.6": [{"content": "x"}]}, "token_usages": {}}})");
  expect_contains(message_of<UserError>([&] { eval_metrics(broken, "file.json"); }), "file.json");
}

TEST(eval_files, problems_with_the_same_text_stay_two) {
  std::vector<Problem> problems = made_up_problems();
  problems[1].problem = problems[0].problem;
  EXPECT_EQ(eval_document("t", problems, {}, user_alone).size(), 3u);
}

TEST(work_stages, hand_out_one_benchmark_after_the_other) {
  const TemporaryFolder folder;
  std::vector<WorkStage> stages;
  for (const double temperature : {0.6, 1.0}) {
    BenchmarkOptions options = made_up_options(folder.path() / std::to_string(temperature), TestMode::spec);
    stages.push_back({std::make_unique<Benchmark>(made_up_task(), made_up_problems(), options), temperature, "t"});
    stages.back().benchmark->prepare();
    stages.back().benchmark->start();
  }
  WorkStages work(stages, nullptr);
  std::vector<std::size_t> order;
  std::vector<Work> all;
  while (const auto next = work.next()) {
    order.push_back(next->stage);
    EXPECT_EQ(next->temperature, stages[next->stage].temperature);
    all.push_back(*next);
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1}));
  EXPECT_FALSE(work.is_drained());
  for (auto done = all.rbegin(); done != all.rend(); ++done) {
    work.deliver(done->stage, make_record(done->key, made_up_outcome(done->problem, done->key)));
  }
  work.finish();
  EXPECT_TRUE(work.is_drained());
  EXPECT_EQ(stages[0].benchmark->finished(), 6u);
  EXPECT_EQ(stages[1].benchmark->finished(), 6u);
}

TEST(work_stages, an_interrupted_run_stops_all) {
  const TemporaryFolder folder;
  std::vector<WorkStage> stages;
  for (const char* name : {"a", "b"}) {
    stages.push_back(
        {std::make_unique<Benchmark>(made_up_task(), made_up_problems(), made_up_options(folder.path() / name)), 0.6,
         name});
    stages.back().benchmark->prepare();
    stages.back().benchmark->start();
  }
  WorkStages work(stages, nullptr);
  const Work first = *work.next();
  RunOutcome outcome = made_up_outcome(first.problem, first.key);
  outcome.result.finish_reason = FinishReason::interrupted;
  work.deliver(first.stage, make_record(first.key, outcome));
  EXPECT_TRUE(work.is_stopped());
  EXPECT_FALSE(work.next());
  work.finish();
  EXPECT_TRUE(work.is_drained());
}

// A judge that takes its time: who delivers goes on meanwhile, and the runs are recorded in their order.
TEST(work_stages, recording_does_not_hold_up_those_who_deliver) {
  const TemporaryFolder folder;
  std::vector<WorkStage> stages;
  stages.push_back(
      {std::make_unique<Benchmark>(made_up_task(), made_up_problems(), made_up_options(folder.path())), 0.6, ""});
  stages[0].benchmark->prepare();
  stages[0].benchmark->start();
  std::promise<void> delivered;
  WorkStages work(stages, nullptr, [all = delivered.get_future().share()] { all.wait(); });
  std::vector<RunKey> order;
  while (const auto next = work.next()) {
    order.push_back(next->key);
    work.deliver(0, make_record(next->key, made_up_outcome(next->problem, next->key)));
  }
  EXPECT_FALSE(work.is_drained());
  delivered.set_value();
  work.finish();
  EXPECT_TRUE(work.is_drained());
  std::vector<RunKey> logged;
  std::istringstream lines(slurp(stages[0].benchmark->log_path()));
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) logged.push_back(parse_record(parse_json(line, "log"), "log").key);
  EXPECT_EQ(logged, order);
}

TEST(work_stages, a_failure_to_record_reaches_who_asks_next_and_who_waits) {
  const TemporaryFolder folder;
  std::vector<WorkStage> stages;
  stages.push_back(
      {std::make_unique<Benchmark>(made_up_task(), made_up_problems(), made_up_options(folder.path())), 0.6, ""});
  stages[0].benchmark->prepare();
  stages[0].benchmark->start();
  WorkStages work(stages, nullptr, [] { throw EnvironmentError("the disk is full"); });
  const Work first = *work.next();
  work.deliver(0, make_record(first.key, made_up_outcome(first.problem, first.key)));
  expect_contains(message_of<EnvironmentError>([&] { work.finish(); }), "the disk is full");
  EXPECT_TRUE(work.is_stopped());
  expect_contains(message_of<EnvironmentError>([&] { work.next(); }), "the disk is full");
}

// Each part logs its own runs; the last to end has them all.
TEST(parts, all_records_are_those_of_every_part) {
  const TemporaryFolder folder;
  const auto part = [&](int number, const char* timestamp) {
    BenchmarkOptions options = made_up_options(folder.path(), TestMode::spec);
    options.part = {number, 2};
    options.timestamp = timestamp;
    return options;
  };
  TestSession first(part(1, "20300102_030405"));
  EXPECT_EQ(first.run(), BenchmarkStatus::finished);
  EXPECT_FALSE(first.benchmark.all_records());
  TestSession second(part(2, "20300102_030406"));
  EXPECT_EQ(second.run(), BenchmarkStatus::finished);
  ASSERT_TRUE(second.benchmark.all_records());
  EXPECT_EQ(second.benchmark.all_records()->size(), 6u);
}

}  // namespace
}  // namespace specthink
