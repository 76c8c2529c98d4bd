// Tests that run on several ranks: every rank runs every test.
#pragma once

#include <c10/core/Device.h>

#include "specthink/comm/process_group.h"

namespace specthink::testing_support {

/// The ranks that this test program was started with.
const ProcessGroup& world();

/// The CPU; with SPECTHINK_TEST_DEVICE=cuda (the tests labelled gpu) this rank's GPU.
c10::Device device();

}  // namespace specthink::testing_support
