// A report as one HTML file that needs nothing else, or as Markdown.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "specthink/report/jsonl.h"

namespace specthink::inline report {

/// A table of finished cells.
struct ReportTable {
  std::string id;     ///< of its place in the page
  std::string title;  ///< empty: it continues the section of the table before it
  std::string note;   ///< a sentence or two on what is in it
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

struct ReportPage {
  std::string title;
  std::string note;
  std::vector<ReportTable> tables;
  OrderedJson charts =
      OrderedJson::object();         ///< what the charts and the table of problems are drawn from: runs by system
  std::vector<OrderedJson> details;  ///< {system, row, ...}: text, timeline and ledger of runs, the most wanted first
};

constexpr std::size_t kMaxPageBytes = 5'000'000;

struct HtmlPage {
  std::string html;
  std::size_t details = 0;  ///< that are in it
};

/// Details that would make the page larger than `max_bytes` are left out; later ones that fit are not. All text is data
/// in the page: nothing of it is read as HTML or script, whatever it holds.
HtmlPage html_page(const ReportPage& page, std::size_t max_bytes = kMaxPageBytes);

/// The tables.
std::string markdown_page(const ReportPage& page);

}  // namespace specthink::inline report
