// `specthink import`: a GGUF file as a model folder.
#include <fmt/format.h>

#include <iostream>

#include "app/commands.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/stopwatch.h"
#include "specthink/base/strings.h"
#include "specthink/model/gguf_import.h"

namespace specthink::inline app {

int run_import(const Invocation& invocation) {
  init_logging(0);
  const ImportSettings& given = invocation.settings.import;
  if (given.gguf_file.empty() || given.folder.empty()) {
    throw UserError("expected a file and a new folder: specthink import FILE.gguf DIR");
  }
  const Stopwatch watch;
  int shown = 0;  // tenths
  const GgufImport imported = import_gguf(given.gguf_file, given.folder, invocation.settings.models.dtype,
                                          [&](std::int64_t done, std::int64_t all) {
                                            if (done * 10 / all <= shown) return;
                                            shown = static_cast<int>(done * 10 / all);
                                            spdlog::info("{} of {} tensors", done, all);
                                          });
  std::cout << fmt::format("{}: {} tensors, {} of weights, {:.1f} s\n", given.folder, imported.tensors,
                           format_bytes(static_cast<std::uint64_t>(imported.bytes)), watch.seconds());
  return kExitSuccess;
}

}  // namespace specthink::inline app
