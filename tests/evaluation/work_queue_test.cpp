#include "specthink/evaluation/work_queue.h"

#include <thread>

#include "evaluation/benchmark_fixtures.h"

namespace specthink {
namespace {

RunRecord solve(const Benchmark& benchmark, const RunKey& key) {
  return make_record(key, made_up_outcome(benchmark.problem(key), key));
}

Benchmark started(const TemporaryFolder& folder) {
  Benchmark benchmark(made_up_task(), made_up_problems(), made_up_options(folder.path()));
  benchmark.prepare();
  benchmark.start();
  return benchmark;
}

TEST(work_queue, hands_out_each_run_once_in_order) {
  const TemporaryFolder folder;
  Benchmark benchmark = started(folder);
  const std::vector<RunKey> expected = benchmark.pending();
  WorkQueue queue(benchmark, nullptr);
  std::vector<RunKey> found;
  while (const auto key = queue.next()) found.push_back(*key);
  EXPECT_EQ(found, expected);
  EXPECT_FALSE(queue.is_drained()) << "they are being worked on";
  for (const RunKey& key : found) queue.deliver(solve(benchmark, key));
  EXPECT_TRUE(queue.is_drained());
}

// Whatever the order in which workers come back, the result is that of one worker.
TEST(work_queue, of_several_workers_gives_the_same_result_file) {
  const TemporaryFolder folder;
  Benchmark benchmark = started(folder);
  WorkQueue queue(benchmark, nullptr);
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      while (const auto key = queue.next()) queue.deliver(solve(benchmark, *key));
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(queue.is_drained());
  benchmark.write_results();
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

// Other groups send their records as lines of the run log, without knowing the answers.
TEST(work_queue, records_that_were_sent_as_text_give_the_same_result_file) {
  const TemporaryFolder folder;
  Benchmark benchmark = started(folder);
  WorkQueue queue(benchmark, nullptr);
  while (const auto key = queue.next()) {
    queue.deliver(parse_record(parse_json(to_line(log_json(solve(benchmark, *key))), "a message"), "a message"));
  }
  benchmark.write_results();
  EXPECT_EQ(slurp(folder.path() / kResultName), reference().result);
}

TEST(work_queue, an_interrupted_run_stops_it) {
  const TemporaryFolder folder;
  Benchmark benchmark = started(folder);
  WorkQueue queue(benchmark, nullptr);
  const RunKey first = *queue.next();
  const RunKey second = *queue.next();
  RunOutcome outcome = made_up_outcome(benchmark.problem(first), first);
  outcome.result.finish_reason = FinishReason::interrupted;
  queue.deliver(make_record(first, outcome));
  EXPECT_TRUE(queue.is_stopped());
  EXPECT_FALSE(queue.next());
  EXPECT_FALSE(queue.is_drained());
  queue.deliver(solve(benchmark, second));
  EXPECT_TRUE(queue.is_drained());
  EXPECT_EQ(benchmark.finished(), 1u);
}

TEST(work_queue, a_failure_to_record_reaches_everyone) {
  const TemporaryFolder folder;
  Benchmark benchmark = started(folder);
  WorkQueue queue(benchmark, nullptr, [count = 0]() mutable {
    if (++count == 2) throw EnvironmentError("the disk is full");
  });
  queue.deliver(solve(benchmark, *queue.next()));
  const RunKey key = *queue.next();
  EXPECT_THROW(queue.deliver(solve(benchmark, key)), EnvironmentError);
  EXPECT_TRUE(queue.is_stopped());
  EXPECT_THROW(queue.next(), EnvironmentError);
  EXPECT_THROW(queue.is_drained(), EnvironmentError);
  EXPECT_EQ(benchmark.finished(), 1u);
}

}  // namespace
}  // namespace specthink
