// One command over all ranks of a job: start and end of MPI, failures, the watchdog.
#pragma once

#include <functional>

#include "specthink/comm/process_group.h"
#include "specthink/config/options.h"

namespace specthink::inline app {

/// Starts MPI, runs `body` on every rank and ends the job as one: a failure that `body` throws on one rank is printed
/// there and aborts the others; one that all agreed on (ReportedError) ends every rank with its code. A watchdog looks
/// for ranks that are gone or get nowhere for `collective_timeout` seconds.
int run_on_ranks(double collective_timeout, const std::function<int(const ProcessGroup& world)>& body);

/// With the default timeout.
int run_on_ranks(const std::function<int(const ProcessGroup& world)>& body);

/// Runs `body`; what it throws on this rank alone ends the whole job here, before anything is destroyed that needs the
/// other ranks. For code that owns such objects outside of `body`.
int end_job_on_failure(const ProcessGroup& world, const std::function<int()>& body);

/// Throws on every rank when the world is more than one group of --tp ranks: `command` has work for one. Collective.
void require_one_group(const ProcessGroup& world, const Invocation& invocation);

}  // namespace specthink::inline app
