#include "specthink/replay/texts.h"

#include <fmt/format.h>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"
#include "specthink/report/json_reader.h"
#include "specthink/report/run_record.h"

namespace specthink::inline replay {
namespace {

/// The run of a problem, or null.
const Json* find_run(const Json& problems, const Trace& trace, const std::string& source) {
  const auto problem = static_cast<std::size_t>(trace.problem);
  if (problem >= problems.size()) return nullptr;
  const JsonReader reader(problems[problem], source, "the problem");
  for (const Json& run : reader.list("runs")) {
    if (JsonReader(run, source, "the run").count("run") == trace.run) return &run;
  }
  return nullptr;
}

}  // namespace

std::vector<TokenIds> read_texts(const std::filesystem::path& file, const std::vector<Trace>& traces,
                                 const Tokenizer& tokenizer) {
  const std::string source = file.string();
  const Json document = parse_json(read_file(file), source);
  const char* const of_speculation = name_of(RunMode::spec);
  const bool has_modes = document.is_object() && document.contains(of_speculation);
  const JsonReader reader(has_modes ? document.at(of_speculation) : document, source, "the result file");
  const JsonReader results(reader.value("results"), source, "results");
  const Json& problems = results.list("problems");
  std::vector<TokenIds> texts;
  for (const Trace& trace : traces) {
    const Json* const run = find_run(problems, trace, source);
    if (!run) {
      throw UserError("{}: has no run {} of problem {}, which is among the recorded runs", source, trace.run,
                      trace.problem);
    }
    texts.push_back(tokenizer.encode(JsonReader(*run, source, "the run").text("generated_text")));
  }
  return texts;
}

}  // namespace specthink::inline replay
