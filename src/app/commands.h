// The subcommands. Each takes the resolved settings and returns the exit code; failures are thrown (base/error.h).
#pragma once

#include <string>
#include <vector>

#include "specthink/config/options.h"

namespace specthink::inline app {

int run_generate(const Invocation& invocation);
int run_score(const Invocation& invocation);
int run_bench(const Invocation& invocation);
int run_calibration(const Invocation& invocation);  // bench --calibrate
int run_replay(const Invocation& invocation);
int run_tokenize(const Invocation& invocation);
int run_import(const Invocation& invocation);
int run_plan(const Invocation& invocation);
int run_bench_kernels(const Invocation& invocation);
int run_config(const Invocation& invocation);
int run_judge(const Invocation& invocation);
int run_merge(const Invocation& invocation);
int run_eval(const Invocation& invocation);
int run_report(const Invocation& invocation);
int run_serve(const Invocation& invocation);
int run_doctor(const Invocation& invocation);

/// Name, version and those of MPI, NCCL, torch and CUDA.
std::string version_text();

/// The same, and each library of others: version compiled with, version running where it can say, licence, file.
std::string version_json();

}  // namespace specthink::inline app
