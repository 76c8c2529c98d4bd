// Tests that run on several ranks: every rank runs every test.
#pragma once

#include "specthink/comm/process_group.h"

namespace specthink::testing_support {

/// The ranks that this test program was started with.
const ProcessGroup& world();

}  // namespace specthink::testing_support
