#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "ranks.h"
#include "specthink/comm/device.h"

namespace specthink::testing_support {
namespace {

const ProcessGroup* group = nullptr;
c10::Device chosen_device(c10::kCPU);

}  // namespace

const ProcessGroup& world() { return *group; }

c10::Device device() { return chosen_device; }

void use_world(const ProcessGroup& ranks) {
  group = &ranks;
  const char* wanted = std::getenv("SPECTHINK_TEST_DEVICE");
  if (wanted && std::string(wanted) == "cuda") chosen_device = select_device(ranks, DeviceChoice::cuda);
}

}  // namespace specthink::testing_support

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  specthink::MpiSession session;
  specthink::testing_support::use_world(session.world());
  if (session.world().rank() != 0) {
    // One report is enough. Other ranks print only their failures.
    class FailurePrinter : public testing::EmptyTestEventListener {
      void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.failed()) return;
        std::fprintf(stderr, "%s:%d: %s\n", result.file_name(), result.line_number(), result.summary());
      }
    };
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);  // owned by the list
  }
  return RUN_ALL_TESTS();
}
