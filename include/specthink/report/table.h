// Tables of text for terminals: any number of columns, titled sections, aligned by what the eye sees.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline report {

/// Columns that a terminal needs for `text` (UTF-8, without control characters), counted as one per character.
std::size_t display_width(std::string_view text);

class Table {
 public:
  /// One title per column. The first column is aligned left, all others right.
  explicit Table(std::vector<std::string> titles);

  /// A heading over the rows that follow; the first column's title of this section.
  void add_section(std::string title);

  /// At most as many cells as there are columns; missing ones stay empty.
  void add_row(std::vector<std::string> cells);

  /// All lines, each ended by a newline: columns two spaces apart, no trailing spaces; every section repeats the titles
  /// under a rule. A table without rows is empty.
  std::string to_string() const;

 private:
  struct Row {
    bool is_section = false;
    std::vector<std::string> cells;
  };

  std::vector<std::string> titles_;
  std::vector<Row> rows_;
};

/// A Markdown table, the first column aligned left, all others right. Columns are as wide as their widest cell, so that
/// the text reads as a table without a Markdown viewer, too. Missing cells stay empty.
std::string markdown_table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows);

}  // namespace specthink::inline report
