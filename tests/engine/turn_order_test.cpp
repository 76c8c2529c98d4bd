// Which model steps next: shares of time, and what they make of runs that go back and forth.
#include "engine/runs/turn_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace specthink {
namespace {

constexpr std::size_t kTarget = static_cast<std::size_t>(Role::target);
constexpr std::size_t kDraft = static_cast<std::size_t>(Role::draft);

std::array<int, 2> waiting_for(int target, int draft) {
  std::array<int, 2> waiting{};
  waiting[kTarget] = target;
  waiting[kDraft] = draft;
  return waiting;
}

TEST(turn_order, time_is_shared_in_proportion_to_those_that_wait) {
  TurnOrder order;
  const std::array<int, 2> waiting = waiting_for(3, 9);
  std::array<double, 2> time{};
  for (int i = 0; i < 4000; ++i) {
    const Role role = order.next(waiting);
    const auto at = static_cast<std::size_t>(role);
    const double cost = role == Role::target ? 7 : 2;
    time[at] += cost;
    order.account(role, cost, waiting[at], waiting[1 - at]);
  }
  EXPECT_NEAR(time[kTarget] / time[kDraft], 3.0 / 9, 0.01);
}

TEST(turn_order, who_waits_alone_steps_and_nothing_is_saved_up_meanwhile) {
  TurnOrder order;
  EXPECT_EQ(order.next(waiting_for(1, 0)), Role::target);
  EXPECT_EQ(order.next(waiting_for(0, 1)), Role::draft);
  for (int i = 0; i < 100; ++i) order.account(Role::draft, 1, 1, 0);
  // The target has waited for nothing: it gets its half from now on, not a hundred turns.
  int target_first = 0;
  while (order.next(waiting_for(1, 1)) == Role::target) {
    order.account(Role::target, 1, 1, 1);
    ++target_first;
  }
  EXPECT_LE(target_first, 2);
}

/// Runs that take so many steps of the draft, then so many of the target, again and again: requests that end in a given
/// time, where a step costs the same for any number of runs.
double ended_per_time(int runs, int draft_steps, int target_steps, double draft_cost, double target_cost) {
  struct Run {
    Role role = Role::draft;
    int left = 0;
  };
  std::vector<Run> all(static_cast<std::size_t>(runs));
  for (int i = 0; i < runs; ++i) all[static_cast<std::size_t>(i)].left = 1 + i * draft_steps / runs;
  TurnOrder order;
  double time = 0;
  int ended = 0;
  while (time < 20000) {
    std::array<int, 2> waiting{};
    for (const Run& run : all) ++waiting[static_cast<std::size_t>(run.role)];
    const Role role = order.next(waiting);
    double cost = 0;
    bool somebody_ended = false;
    for (int step = 0; step < kSharedTurnSteps && !somebody_ended; ++step) {
      cost += role == Role::draft ? draft_cost : target_cost;
      for (Run& run : all) somebody_ended |= run.role == role && --run.left == 0;
    }
    const auto at = static_cast<std::size_t>(role);
    order.account(role, cost, waiting[at], waiting[1 - at]);
    time += cost;
    for (Run& run : all) {
      if (run.left > 0) continue;
      ++ended;
      run.role = run.role == Role::draft ? Role::target : Role::draft;
      run.left = run.role == Role::draft ? draft_steps : target_steps;
    }
  }
  return ended / time;
}

TEST(turn_order, runs_that_alternate_gather_where_steps_are_dear) {
  // A run alone ends two requests in 50 · 1.6 + 20 · 8.5; n runs at best n / (sqrt(80) + sqrt(170))² pairs.
  const double alone = ended_per_time(1, 50, 20, 1.6, 8.5);
  EXPECT_NEAR(alone, 2 / (50 * 1.6 + 20 * 8.5), 0.05 * alone);
  const double best = 25 * 2 / std::pow(std::sqrt(50 * 1.6) + std::sqrt(20 * 8.5), 2);
  EXPECT_GT(ended_per_time(25, 50, 20, 1.6, 8.5), 0.9 * best);
}

TEST(turn_members, are_all_where_they_fit_and_take_turns_where_not) {
  TurnMembers members;
  using Runs = std::vector<std::size_t>;
  EXPECT_EQ(members.choose({2, 5, 7}, 3), (Runs{2, 5, 7}));
  EXPECT_EQ(members.choose({0, 1, 2, 3, 4}, 2), (Runs{0, 1}));
  EXPECT_EQ(members.choose({0, 1, 2, 3, 4}, 2), (Runs{2, 3}));
  EXPECT_EQ(members.choose({0, 1, 2, 3, 4}, 2), (Runs{0, 4}));
  EXPECT_EQ(members.choose({0, 1, 2, 3}, 3), (Runs{0, 2, 3})) << "whoever else waits now";
  std::array<int, 64> turns{};
  for (int turn = 0; turn < 60; ++turn) {
    Runs all(64);
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (const std::size_t run : members.choose(all, 16)) ++turns[run];
  }
  EXPECT_EQ(*std::ranges::min_element(turns), 15);
  EXPECT_EQ(*std::ranges::max_element(turns), 15);
}

}  // namespace
}  // namespace specthink
