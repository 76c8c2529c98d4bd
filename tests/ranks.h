// Tests that run on several ranks: every rank runs every test.
#pragma once

#include <c10/core/Device.h>

#include <cstdlib>
#include <string_view>

#include "specthink/comm/process_group.h"

namespace specthink::testing_support {

/// The ranks that this test program was started with.
const ProcessGroup& world();

/// The CPU; with SPECTHINK_TEST_DEVICE=cuda (the tests labelled gpu) this rank's GPU.
c10::Device device();

/// The tool that looks at every access of the kernels (launch/test_gpu.sh); empty: none. Fewer sizes must do: memcheck
/// takes a hundred times as long, racecheck, which follows shared memory, a thousand times.
inline std::string_view sanitizer() {
  const char* tool = std::getenv("SPECTHINK_SANITIZER");
  return tool ? tool : "";
}
inline bool sanitized() { return !sanitizer().empty(); }

}  // namespace specthink::testing_support
