#include "specthink/report/table.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline report {
namespace {

constexpr std::size_t kGap = 2;  // between columns

std::string format_line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths[i] - display_width(cells[i]), ' ');
    if (i > 0) line.append(kGap, ' ');
    line += i == 0 ? cells[i] + padding : padding + cells[i];
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xC0) != 0x80; }));
}

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  check(!titles_.empty(), "a table has at least one column");
}

void Table::add_section(std::string title) {
  std::vector<std::string> cells = titles_;
  cells.front() = std::move(title);
  rows_.push_back({true, std::move(cells)});
}

void Table::add_row(std::vector<std::string> cells) {
  check(cells.size() <= titles_.size(), "a table row has no more cells than there are columns");
  rows_.push_back({false, std::move(cells)});
}

std::string Table::to_string() const {
  if (rows_.empty()) return "";
  std::vector<std::size_t> widths(titles_.size(), 0);
  const auto widen = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], display_width(cells[i]));
  };
  const bool untitled_start = !rows_.front().is_section;
  if (untitled_start) widen(titles_);
  for (const Row& row : rows_) widen(row.cells);
  std::size_t total = kGap * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;

  const std::string rule = std::string(total, '-') + '\n';
  std::string text;
  if (untitled_start) text += format_line(titles_, widths) + rule;
  for (const Row& row : rows_) {
    if (row.is_section && !text.empty()) text += '\n';
    text += format_line(row.cells, widths);
    if (row.is_section) text += rule;
  }
  return text;
}

std::string markdown_table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& title : titles) widths.push_back(std::max<std::size_t>(3, display_width(title)));
  for (const std::vector<std::string>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = i < cells.size() ? cells[i] : "";
      const std::string padding(widths[i] - display_width(cell), ' ');
      text += " " + (i == 0 ? cell + padding : padding + cell) + " |";
    }
    return text + "\n";
  };
  std::string text = line(titles) + "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    text += i == 0 ? " " + std::string(widths[i], '-') + " |" : " " + std::string(widths[i] - 1, '-') + ": |";
  }
  text += "\n";
  for (const std::vector<std::string>& row : rows) text += line(row);
  return text;
}

}  // namespace specthink::inline report
