// specthink merge: the parts of a benchmark as one result.
#include "specthink/evaluation/merge.h"

#include <iostream>

#include "app/commands.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"

namespace specthink::inline app {

int run_merge(const Invocation& invocation) {
  init_logging(0);
  const MergedBenchmark merged = merge_parts(invocation.settings.bench.output_dir);
  if (invocation.settings.format == Format::json)
    std::cout << merged.summary_line << "\n";
  else
    std::cout << merged.summary_text;
  return kExitSuccess;
}

}  // namespace specthink::inline app
