#include "specthink/report/page.h"

#include <utility>

#include "report/page/template.h"
#include "specthink/base/error.h"
#include "specthink/base/strings.h"
#include "specthink/report/table.h"

namespace specthink::inline report {
namespace {

// JSON that may stand in a <script> element: no character in it can end the element, begin a comment or a reference.
std::string script_json(const OrderedJson& value) {
  const std::string text = value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string result;
  result.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    switch (c) {
      case '<':
        result += "\\u003c";
        break;
      case '>':
        result += "\\u003e";
        break;
      case '&':
        result += "\\u0026";
        break;
      default:
        result += c;
    }
  }
  return result;
}

OrderedJson table_json(const ReportTable& table) {
  return {{"id", table.id},
          {"title", table.title},
          {"note", table.note},
          {"columns", OrderedJson(table.columns)},
          {"rows", OrderedJson(table.rows)}};
}

// The template with each mark @name@ replaced.
std::string fill(std::string_view text, const std::vector<std::pair<std::string_view, std::string_view>>& parts) {
  std::string result;
  for (const auto& [mark, part] : parts) {
    const std::size_t at = text.find(mark);
    check(at != std::string_view::npos, "the page has every mark, in order");
    result.append(text.substr(0, at)).append(part);
    text.remove_prefix(at + mark.size());
  }
  return result.append(text);
}

std::string escape_markdown(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<' || c == '[' || c == ']') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

}  // namespace

HtmlPage html_page(const ReportPage& page, std::size_t max_bytes) {
  OrderedJson tables = OrderedJson::array();
  for (const ReportTable& table : page.tables) tables.push_back(table_json(table));
  const std::string tables_text = script_json(tables);
  const std::string title = escape_html(page.title);
  const std::string note = escape_html(page.note);
  std::size_t size = kPageTemplate.size() + kPageStyle.size() + kPageScript.size() + 2 * title.size() + note.size() +
                     tables_text.size() + script_json(page.charts).size();
  HtmlPage result;
  // An array with a line for each run: the page parses the lines of those that are looked at.
  std::string details = "[";
  for (const OrderedJson& of_run : page.details) {
    const std::string detail = script_json(of_run);
    if (size + details.size() + detail.size() + 4 > max_bytes) continue;
    details.append(result.details > 0 ? ",\n" : "\n").append(detail);
    ++result.details;
  }
  details += "\n]";
  result.html = fill(kPageTemplate, {{"@title@", title},
                                     {"@style@", kPageStyle},
                                     {"@heading@", title},
                                     {"@note@", note},
                                     {"@tables@", tables_text},
                                     {"@charts@", script_json(page.charts)},
                                     {"@details@", details},
                                     {"@script@", kPageScript}});
  return result;
}

std::string markdown_page(const ReportPage& page) {
  std::string text = "# " + escape_markdown(page.title) + "\n\n" + escape_markdown(page.note) + "\n";
  for (const ReportTable& table : page.tables) {
    if (!table.title.empty()) text += "\n## " + escape_markdown(table.title) + "\n";
    if (!table.note.empty()) text += "\n" + escape_markdown(table.note) + "\n";
    std::vector<std::string> titles;
    for (const std::string& column : table.columns) titles.push_back(escape_markdown(column));
    std::vector<std::vector<std::string>> rows;
    for (const std::vector<std::string>& row : table.rows) {
      std::vector<std::string>& cells = rows.emplace_back();
      for (const std::string& cell : row) cells.push_back(escape_markdown(cell));
    }
    text += "\n" + markdown_table(titles, rows);
  }
  return text;
}

}  // namespace specthink::inline report
