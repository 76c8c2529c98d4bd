#include <utility>

#include "report/series/readers.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/report/run_log_file.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30;

[[noreturn]] void fail_unknown(const fs::path& path, std::string_view advice) {
  throw UserError("{}: not a result file: expected one that bench, eval or replay has written{}", path.string(),
                  advice);
}

bool is_metrics(const Json& document) {
  return document.contains("avg_completion_tokens") && document.contains("accuracy");
}

}  // namespace

std::optional<double> SeriesRun::target_tokens() const {
  if (ledger) return static_cast<double>(ledger->target);
  if (nominal_target_tokens) return static_cast<double>(*nominal_target_tokens);
  return std::nullopt;
}

std::string short_model_name(const Json& model) {
  if (!model.is_string()) return "?";
  std::string name = model.get<std::string>();
  while (!name.empty() && name.back() == '/') name.pop_back();
  return name.substr(name.rfind('/') + 1);
}

std::vector<ResultSeries> read_series(const fs::path& path) {
  const std::string content = read_file(path, kMaxBytes);
  if (path.extension() == ".jsonl") {
    if (!inspect_run_log(path)) fail_unknown(path, "; of a replay give the .json beside its log");
    return read_bench_log(content, path);
  }
  const Json document = parse_json(content, path.string());
  if (!document.is_object()) fail_unknown(path, "");
  if (document.contains("model_type")) {
    std::vector<ResultSeries> series = read_bench_results(document, path);
    add_bench_log(series, fs::path(path).replace_extension(".jsonl"));
    return series;
  }
  if (document.contains("policies")) return read_replay_results(document, path);
  if (is_eval_document(document)) return read_eval_results(OrderedJson::parse(content), document, path);
  fail_unknown(path, is_metrics(document) ? "; these are metrics: give the file of the same name one folder up" : "");
}

}  // namespace specthink::inline report
