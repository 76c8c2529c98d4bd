#include "specthink/comm/failure_report.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <system_error>

namespace specthink {
namespace {

TEST(describe_current_exception, knows_what_out_of_memory_means) {
  try {
    throw std::runtime_error("CUDA out of memory. Tried to allocate 2 GiB\nmore lines");
  } catch (...) {
    const Failure failure = describe_current_exception();
    EXPECT_EQ(failure.code, kExitEnvironment);
    EXPECT_EQ(failure.message.find('\n'), std::string::npos);
  }
}

TEST(describe_current_exception, knows_other_words_for_little_memory) {
  const auto failure_of = [](const auto& error) {
    try {
      throw error;
    } catch (...) {
      return describe_current_exception();
    }
  };
  const Failure torch = failure_of(std::runtime_error("DefaultCPUAllocator: can't allocate memory: you tried ..."));
  EXPECT_EQ(torch.code, kExitEnvironment);
  EXPECT_TRUE(torch.message.starts_with("out of memory: ")) << torch.message;
  const Failure thread = failure_of(std::system_error(EAGAIN, std::generic_category()));
  EXPECT_EQ(thread.code, kExitEnvironment);
  EXPECT_NE(thread.message.find("ulimit -u"), std::string::npos) << thread.message;
  EXPECT_EQ(failure_of(std::system_error(EBADF, std::generic_category())).code, kExitInternal);
}

TEST(describe_current_exception, keeps_the_code_and_words_of_our_own_errors) {
  try {
    throw UserError("no such file: {}", "x.yml");
  } catch (...) {
    const Failure failure = describe_current_exception();
    EXPECT_EQ(failure.code, kExitUser);
    EXPECT_EQ(failure.message, "no such file: x.yml");
  }
}

TEST(report_failure, is_one_line_that_names_the_rank_of_several) {
  testing::internal::CaptureStderr();
  report_failure("first\nsecond", 3, 4);
  report_failure("alone", 0, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "specthink: rank 3: first second\nspecthink: alone\n");
}

TEST(report_failure, prints_no_control_characters) {
  testing::internal::CaptureStderr();
  report_failure("key '\x1b[31mGr\u00fcn\x7f'", 0, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "specthink: key ' [31mGr\u00fcn '\n") << "UTF-8 stays";
}

TEST(failure_report, calls_the_handler_while_there_is_one) {
  std::atomic<std::uint32_t> claimed{0};
  FailureReport report(claimed);
  int calls = 0;
  report.fail_now();
  report.set_handler([&] { ++calls; });
  report.fail_now();
  report.set_handler({});
  report.fail_now();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace specthink
