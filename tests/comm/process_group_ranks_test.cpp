#include <gtest/gtest.h>

#include "ranks.h"
#include "specthink/comm/process_group.h"

namespace specthink {
namespace {

using testing_support::world;

TEST(process_group, broadcasts_text_of_any_length) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100000, 'y')}) {
    std::string received = world().rank() == 0 ? text : "something else";
    world().broadcast(received);
    EXPECT_EQ(received, text);
  }
}

TEST(process_group, gathers_in_rank_order) {
  const std::vector<std::int64_t> values = world().all_gather(std::int64_t{10} * world().rank());
  const std::vector<std::string> texts = world().all_gather(std::string(static_cast<std::size_t>(world().rank()), 'a'));
  ASSERT_EQ(values.size(), static_cast<std::size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_EQ(values[static_cast<std::size_t>(rank)], 10 * rank);
    EXPECT_EQ(texts[static_cast<std::size_t>(rank)].size(), static_cast<std::size_t>(rank));
  }
}

TEST(process_group, splits_by_color) {
  const ProcessGroup part = world().split(world().rank() % 2);
  const int even = (world().size() + 1) / 2;
  EXPECT_EQ(part.size(), world().rank() % 2 == 0 ? even : world().size() - even);
  EXPECT_EQ(part.rank(), world().rank() / 2);
  part.barrier();
}

TEST(process_group, knows_its_node) {
  EXPECT_EQ(world().local_size(), world().size());
  EXPECT_EQ(world().local_rank(), world().rank());
}

// A phase that fails on one rank ends on all of them, with that rank's exit code.
TEST(together, fails_everywhere_with_the_code_of_the_lowest_failing_rank) {
  testing::internal::CaptureStderr();
  const int failing = world().size() - 1;
  try {
    together(world(), [&] {
      if (world().rank() == failing) throw EnvironmentError("the disk is on fire");
    });
    FAIL() << "nothing was thrown";
  } catch (const ReportedError& error) {
    EXPECT_EQ(error.exit_code(), kExitEnvironment);
  }
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_EQ(printed.find("the disk is on fire") != std::string::npos, world().rank() == failing) << printed;
}

TEST(together, passes_when_all_ranks_do) {
  int runs = 0;
  together(world(), [&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace specthink
