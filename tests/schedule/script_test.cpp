#include "schedule/script.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace specthink {
namespace {

Script count_up(std::vector<int>& seen, std::shared_ptr<int> held) {
  for (int i = 0; i < 2; ++i) {
    seen.push_back(i);
    co_await std::suspend_always{};
  }
}

Script fail(std::shared_ptr<int> held) {
  co_await std::suspend_always{};
  throw std::runtime_error("out of the script");
}

TEST(schedule, a_script_runs_from_one_suspension_to_the_next) {
  std::vector<int> seen;
  Script script = count_up(seen, nullptr);
  EXPECT_TRUE(seen.empty());
  script.resume();
  EXPECT_EQ(seen, (std::vector<int>{0}));
  script.resume();
  EXPECT_FALSE(script.done());
  script.resume();
  EXPECT_EQ(seen, (std::vector<int>{0, 1}));
  EXPECT_TRUE(script.done());
}

TEST(schedule, a_script_frees_what_it_holds_wherever_it_stands) {
  const auto held = std::make_shared<int>(1);
  std::vector<int> seen;
  {
    Script script = count_up(seen, held);
    script.resume();
    Script moved = std::move(script);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(schedule, an_exception_in_a_script_reaches_whoever_resumes_it) {
  const auto held = std::make_shared<int>(1);
  {
    Script script = fail(held);
    script.resume();
    EXPECT_THROW(script.resume(), std::runtime_error);
    EXPECT_TRUE(script.done());
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace specthink
