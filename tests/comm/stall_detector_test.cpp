#include "comm/failure/stall_detector.h"

#include <gtest/gtest.h>

namespace specthink {
namespace {

constexpr double kTimeout = 10;

/// Two ranks of one node, seen by rank 0, in ticks of half a second.
struct TwoRanks {
  std::vector<RankSnapshot> ranks{2};
  StallDetector detector;

  explicit TwoRanks(int world_size = 2) : detector({.own_rank = 0, .world_size = world_size, .timeout = kTimeout}) {
    ranks[1].rank = 1;
    for (RankSnapshot& rank : ranks) rank.phase = Phase::decode;
  }

  void live(int rank) { ++ranks[static_cast<std::size_t>(rank)].beat; }
  void work(int rank) {
    RankSnapshot& status = ranks[static_cast<std::size_t>(rank)];
    ++status.progress;
    status.since = ++now_;
  }
  void wait(int rank, Wait wait, std::uint64_t number) {
    work(rank);
    ranks[static_cast<std::size_t>(rank)].wait = wait;
    ranks[static_cast<std::size_t>(rank)].collectives = number;
  }

  /// The first finding within `seconds`, with `each` before every look.
  template <typename Each>
  std::optional<Finding> look(double seconds, Each each) {
    for (double time = 0; time < seconds; time += 0.5) {
      each();
      if (auto finding = detector.look(ranks, 0.5)) return finding;
    }
    return std::nullopt;
  }
  std::optional<Finding> look(double seconds) {
    return look(seconds, [this] {
      live(0);
      live(1);
    });
  }

 private:
  std::int64_t now_ = 0;
};

void expect_rank(const std::optional<Finding>& finding, int rank, const std::string& part) {
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->rank, rank) << finding->message;
  EXPECT_NE(finding->message.find(part), std::string::npos) << finding->message;
}

TEST(stall_detector, ranks_that_get_on_are_left_alone) {
  TwoRanks node;
  EXPECT_FALSE(node.look(10 * kTimeout, [&] {
    node.work(0);
    node.work(1);
    node.live(0);
    node.live(1);
  }));
}

TEST(stall_detector, a_process_that_is_gone) {
  TwoRanks node;
  node.ranks[1].detail = 87;
  EXPECT_FALSE(node.look(1));
  node.ranks[1].gone = true;
  expect_rank(node.look(1), 1, "decode at position 87");
  node.ranks[1].phase = Phase::finished;
  EXPECT_FALSE(node.look(1)) << "it has done its work";
}

// Everyone is stuck then; the one without a heartbeat is to blame, and it is found however little it said before.
TEST(stall_detector, a_stopped_process_is_told_from_those_that_wait_for_it) {
  for (const Phase phase : {Phase::start, Phase::load, Phase::prefill, Phase::decode, Phase::idle}) {
    TwoRanks node;
    node.ranks[1].phase = phase;
    node.wait(0, Wait::all_gather, 5);
    const auto finding = node.look(2 * kTimeout, [&] { node.live(0); });
    expect_rank(finding, 1, "does not run");
  }
}

TEST(stall_detector, a_stuck_rank_is_told_from_those_that_wait_for_it) {
  TwoRanks node;
  node.wait(0, Wait::broadcast, 5);
  expect_rank(node.look(2 * kTimeout), 1, "no progress");
}

// On GPUs nobody's status says that it waits. The first one that stopped is to blame.
TEST(stall_detector, of_two_stuck_ranks_the_one_that_stopped_first) {
  TwoRanks node;
  node.work(1);
  node.work(0);
  expect_rank(node.look(2 * kTimeout), 1, "no progress");
}

TEST(stall_detector, a_slow_rank_that_gets_on_may_let_others_wait) {
  TwoRanks node;
  node.wait(0, Wait::all_gather, 5);
  EXPECT_FALSE(node.look(10 * kTimeout, [&] {
    node.work(1);
    node.live(0);
    node.live(1);
  }));
}

TEST(stall_detector, a_rank_in_an_earlier_collective) {
  TwoRanks node;
  node.wait(1, Wait::broadcast, 4);
  node.wait(0, Wait::all_gather, 5);
  expect_rank(node.look(2 * kTimeout), 1, "another collective");
}

TEST(stall_detector, what_other_nodes_do_is_not_known) {
  TwoRanks node(4);
  node.wait(0, Wait::all_gather, 5);
  node.wait(1, Wait::all_gather, 5);
  const auto finding = node.look(2 * kTimeout);
  ASSERT_TRUE(finding);
  EXPECT_FALSE(finding->rank);
  EXPECT_NE(finding->message.find("other nodes"), std::string::npos) << finding->message;

  TwoRanks loading(4);
  for (const int rank : {0, 1}) {
    loading.ranks[static_cast<std::size_t>(rank)].phase = Phase::load;
    loading.wait(rank, Wait::all_gather, 5);
  }
  EXPECT_FALSE(loading.look(10 * kTimeout)) << "they may still read their files";
}

TEST(stall_detector, an_answer_of_rank_0_that_does_not_come) {
  for (const Phase phase : {Phase::decode, Phase::idle}) {
    TwoRanks node;
    node.detector = StallDetector({.own_rank = 1, .world_size = 2, .timeout = kTimeout});
    node.ranks[0].phase = Phase::output;
    node.ranks[1].phase = phase;
    node.wait(1, Wait::answer, 0);
    expect_rank(node.look(2 * kTimeout), 0, "rank 1");
  }
}

// A group that has nothing left to do waits for the others as long as they need.
TEST(stall_detector, idle_and_finished_ranks_may_wait) {
  TwoRanks node;
  node.wait(0, Wait::broadcast, 5);
  node.ranks[0].phase = Phase::idle;
  node.ranks[1].phase = Phase::finished;
  EXPECT_FALSE(node.look(10 * kTimeout));
}

// What it has left to do takes no time: it hangs on its way to a collective.
TEST(stall_detector, an_idle_rank_that_waits_for_nobody_is_stuck) {
  TwoRanks node;
  node.wait(0, Wait::barrier, 5);
  node.ranks[0].phase = Phase::idle;
  node.ranks[1].phase = Phase::idle;
  expect_rank(node.look(2 * kTimeout), 1, "no progress");
}

TEST(stall_detector, judges_and_readers_of_results_may_take_any_time) {
  for (const Phase phase : {Phase::decode, Phase::idle}) {
    TwoRanks node;
    node.ranks[0].phase = phase;
    node.wait(0, Wait::broadcast, 5);
    node.ranks[1].phase = Phase::output;
    EXPECT_FALSE(node.look(10 * kTimeout));
  }
}

TEST(stall_detector, a_user_may_take_any_time_to_type) {
  TwoRanks node;
  node.ranks[0].phase = Phase::start;
  node.wait(0, Wait::all_gather, 5);
  node.ranks[1].phase = Phase::input;
  EXPECT_FALSE(node.look(10 * kTimeout));
}

TEST(stall_detector, time_in_which_the_whole_job_was_suspended_does_not_count) {
  TwoRanks node;
  node.look(1);
  EXPECT_FALSE(node.detector.look(node.ranks, 1000 * kTimeout));
}

TEST(stall_detector, without_a_timeout_only_ranks_that_are_gone_are_found) {
  TwoRanks node;
  node.detector = StallDetector({.own_rank = 0, .world_size = 2, .timeout = 0});
  EXPECT_FALSE(node.look(1000, [] {}));
  node.ranks[1].gone = true;
  EXPECT_TRUE(node.look(1));
}

}  // namespace
}  // namespace specthink
