// The program: reads the command line, runs the command, and turns failures into one line and an exit code.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "app/commands.h"
#include "app/job/job.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/comm/launcher.h"
#include "specthink/comm/process_group.h"

namespace specthink::inline app {
namespace {

int run_command(const Invocation& invocation) {
  switch (invocation.subcommand) {
    case kGenerate:
      return run_generate(invocation);
    case kScore:
      return run_score(invocation);
    case kBench:
      return run_bench(invocation);
    case kServe:
      return run_serve(invocation);
    case kTokenize:
      return run_tokenize(invocation);
    case kImport:
      return run_import(invocation);
    case kPlan:
      return run_plan(invocation);
    case kConfig:
      return run_config(invocation);
    case kReplay:
      return run_replay(invocation);
    case kDoctor:
      return run_doctor(invocation);
    case kJudge:
      return run_judge(invocation);
    case kEval:
      return run_eval(invocation);
    case kReport:
      return run_report(invocation);
    case kMerge:
      return run_merge(invocation);
    case kBenchKernels:
      return run_bench_kernels(invocation);
  }
  throw InternalError("command '{}' of the command table has no function", invocation.command);
}

// What was written to stdout is not there before it is flushed: the disk may be full, the reader gone.
void flush_stdout() {
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout)) {
    throw EnvironmentError("cannot write to stdout: the disk is full or the reader has closed the pipe");
  }
}

/// Of the ranks of a job one prints what needs no models; what only looks like a rank prints it, too.
bool speaks_for_all() { return launcher_rank() == 0 || !is_joined(); }

int run(const ParseResult& parsed) {
  int exit_code = kExitSuccess;
  const bool speaks = speaks_for_all();
  if (const auto* invocation = std::get_if<Invocation>(&parsed)) {
    if (invocation->runs_on != RunsOn::rank_0 || speaks) exit_code = run_command(*invocation);
  } else if (speaks) {
    const auto* help = std::get_if<HelpText>(&parsed);
    const auto* version = std::get_if<VersionRequest>(&parsed);
    std::cout << (help ? help->text : version->as_json ? version_json() : version_text());
  }
  flush_stdout();
  return exit_code;
}

// A mistake in flags or YAML is found by every rank alike: one message, and nobody is killed before it is out.
int fail_together(const std::exception_ptr& failure) {
  return run_on_ranks([&](const ProcessGroup& group) -> int {
    together(group, [&] { std::rethrow_exception(failure); });
    return kExitInternal;
  });
}

int report_current_exception() {
  const Failure failure = describe_current_exception();
  report_failure(failure.message, 0, 1);
  return failure.code;
}

}  // namespace
}  // namespace specthink::inline app

int main(int argc, char** argv) {
  using namespace specthink;
  // A closed pipe must not kill one rank in silence: the write fails instead, and that is reported.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // so may a file that reaches ulimit -f
  leave_default_binding();
  // Before anything can warn, also in commands without ranks: the default logger writes to stdout.
  init_logging(speaks_for_all() ? 0 : 1);
  std::optional<ParseResult> parsed;
  try {
    parsed = parse_invocation(argc, argv, [](const char* name) { return std::getenv(name); });
  } catch (...) {
    return is_joined() ? fail_together(std::current_exception()) : report_current_exception();
  }
  try {
    return run(*parsed);
  } catch (...) {
    return report_current_exception();
  }
}
