// specthink report: result files as a page.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <set>

#include "app/commands.h"
#include "app/task_file.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"
#include "specthink/evaluation/report_data.h"

namespace specthink::inline app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultPage = "report.html";

/// The series of all files. The log beside a result file is read with it, not a second time.
std::vector<ResultSeries> read_files(const std::vector<std::string>& files) {
  std::set<fs::path> given(files.begin(), files.end());
  std::vector<ResultSeries> series;
  for (const std::string& file : files) {
    const fs::path path = file;
    if (path.extension() == ".jsonl" && given.contains(fs::path(path).replace_extension(".json"))) continue;
    std::vector<ResultSeries> of_file = read_series(path);
    std::move(of_file.begin(), of_file.end(), std::back_inserter(series));
  }
  if (std::all_of(series.begin(), series.end(), [](const ResultSeries& one) { return one.runs.empty(); })) {
    throw UserError("there is no finished run in {}", fmt::join(files, ", "));
  }
  return series;
}

/// Files without answers are judged by those of the task; without --task by AIME25's, where its problems are found.
void add_judgements(std::vector<ResultSeries>& series, const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  const bool asked = !settings.bench.task.empty();
  if (!asked && !lacks_answers(series)) return;
  const Judge judge(settings.evaluation.judge);
  try {
    const Task task = load_task(task_file(settings));
    const std::size_t judged = judge_series(series, task, load_problems(task, settings.data_dir, kAllProblems), judge);
    if (judged > 0) spdlog::info("{} runs judged by the answers of {}", judged, task.name);
    if (asked && judged == 0) spdlog::warn("none of the runs is of a problem of {}", task.name);
  } catch (const UserError& error) {
    if (asked) throw;
    spdlog::info(
        "there is no accuracy in this report: the files have no answers, --task FILE and --data-dir DIR name them ({})",
        error.what());
  }
}

OrderedJson tables_json(const ReportPage& page) {
  OrderedJson tables = OrderedJson::array();
  for (const ReportTable& table : page.tables) {
    tables.push_back({{"id", table.id},
                      {"title", table.title},
                      {"columns", OrderedJson(table.columns)},
                      {"rows", OrderedJson(table.rows)}});
  }
  return {{"title", page.title}, {"tables", std::move(tables)}, {"systems", page.charts.at("systems")}};
}

void write_or_print(const std::optional<std::string>& output, const std::string& text) {
  if (output) {
    write_file_atomically(*output, text);
  } else {
    std::cout << text;
  }
}

}  // namespace

int run_report(const Invocation& invocation) {
  init_logging(0);
  const ReportSettings& settings = invocation.settings.report;
  if (settings.files.empty()) {
    throw UserError(
        "expected result files of bench, eval or replay, found none: specthink report FILE... -o report.html");
  }
  const TextChoice texts = TextChoice::parse(settings.texts);
  std::vector<ResultSeries> series = read_files(settings.files);
  add_judgements(series, invocation);
  const ReportPage page = make_report(std::move(series), texts);
  if (invocation.settings.format == Format::markdown) {
    write_or_print(settings.output, markdown_page(page));
    return kExitSuccess;
  }
  if (invocation.settings.format == Format::json) {
    write_or_print(settings.output, to_line(tables_json(page)) + "\n");
    return kExitSuccess;
  }
  const bool fits = texts.kind == TextChoice::Kind::fitting;
  const HtmlPage html = fits ? html_page(page) : html_page(page, std::numeric_limits<std::size_t>::max());
  const std::string output = settings.output.value_or(kDefaultPage);
  write_file_atomically(output, html.html);
  if (html.html.size() > kMaxPageBytes) {
    spdlog::warn("{} has {}, more than the {} that a page should have: --texts names fewer runs", output,
                 format_bytes(html.html.size()), format_bytes(kMaxPageBytes));
  }
  std::cout << fmt::format("{}: {}, {} of {} texts\n", output, format_bytes(html.html.size()), html.details,
                           page.details.size());
  return kExitSuccess;
}

}  // namespace specthink::inline app
