#include "app/job/job.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "app/job/signals.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/comm/fault.h"
#include "specthink/comm/launcher.h"
#include "specthink/comm/watchdog.h"

namespace specthink::inline app {
namespace {

/// One of the processes that a launcher started prints; the others do not end before it has, as a launcher may end a
/// job whose first process fails. A process that is alone has nobody to speak for it.
int report_launch(const std::string& problem, const LauncherEnvironment& launcher, bool is_one_of_several) {
  if (!is_one_of_several || launcher_rank(launcher) == 0) {
    report_failure(problem, 0, 1);
  } else {
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return kExitEnvironment;
}

}  // namespace

int run_on_ranks(double collective_timeout, const std::function<int(const ProcessGroup&)>& body) {
  const LauncherEnvironment launcher = remember_launcher();
  const bool joined = is_joined();
  if (const auto problem = launch_problem(launcher)) return report_launch(*problem, launcher, has_siblings());
  const MpiSession mpi(joined);
  const ProcessGroup& world = mpi.world();
  init_logging(world.rank());
  if (const auto problem = world_problem(launcher, world.size(), MpiSession::library_version())) {
    return world.rank() == 0 ? report_launch(*problem, launcher, joined) : kExitEnvironment;
  }
  const StopSignals signals(world.stop_flag());
  try {
    std::optional<Fault> fault;
    together(world, [&] {
      const char* fault_text = std::getenv(kFaultVariable);
      if (fault_text && *fault_text) fault = Fault::parse(fault_text);
    });
    std::optional<Watchdog> watchdog;
    together(world, [&] { watchdog.emplace(world, collective_timeout); });  // all meet before anything can fail in it
    if (fault && fault->rank() == world.rank()) world.set_fault(*fault);
    int exit_code = kExitInternal;
    try {
      exit_code = end_job_on_failure(world, [&] {
        world.mark(Phase::start);
        return body(world);
      });
    } catch (const ReportedError& error) {
      exit_code = error.exit_code();
    }
    world.mark(Phase::output);
    std::fflush(stdout);  // before the other ranks end: a launcher may then end this one as well
    // Nobody stops watching before all have come here: one that is killed on its way is still named.
    end_job_on_failure(world, [&] {
      world.mark(Phase::idle);
      world.barrier();
      return exit_code;
    });
    world.mark(Phase::finished);
    if (world.fault()) {
      if (const auto counts = world.fault()->counts()) {
        report_failure(fmt::format("{} counted: {}", kFaultVariable, *counts), world.rank(), world.size());
      }
    }
    return exit_code;
  } catch (const ReportedError& error) {
    return error.exit_code();
  } catch (...) {
    const Failure failure = describe_current_exception();
    report_failure(failure.message, world.rank(), world.size());
    if (world.size() > 1) world.abort(failure.code);
    return failure.code;
  }
}

int run_on_ranks(const std::function<int(const ProcessGroup&)>& body) {
  return run_on_ranks(default_settings().models.collective_timeout, body);
}

int end_job_on_failure(const ProcessGroup& world, const std::function<int()>& body) {
  try {
    return body();
  } catch (const ReportedError&) {
    throw;
  } catch (...) {
    world.failure_report().fail_now();
    throw;
  }
}

void require_one_group(const ProcessGroup& world, const Invocation& invocation) {
  together(world, [&] {
    const int tp = invocation.settings.models.tp;
    if (tp == 0 || tp == world.size()) return;
    throw UserError(
        "--tp {}, but {} rank{}: '{}' has work for one group only; start {} rank{}, or leave out --tp to use all", tp,
        world.size(), world.size() == 1 ? "" : "s", invocation.command, tp, tp == 1 ? "" : "s");
  });
}

}  // namespace specthink::inline app
