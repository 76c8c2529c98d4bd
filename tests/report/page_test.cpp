// The page as text; how it looks and behaves in a browser is seen by opening it.
#include "specthink/report/page.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace specthink {
namespace {

ReportPage evil_page() {
  const std::string evil =
      "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;\xE2\x80\xA8\xFF|*_`";
  ReportPage page;
  page.title = evil;
  page.note = evil;
  page.tables.push_back({"summary", evil, evil, {"system", evil}, {{evil, "1"}}});
  page.charts = {{"problems", {evil}}, {"systems", OrderedJson::array()}};
  page.details.push_back({{"system", 0}, {"row", 0}, {"pieces", {{1, evil}}}});
  return page;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// The content of an element of data, as a browser reads it: up to the first end tag.
std::string data_of(const std::string& html, const std::string& id) {
  const std::string begin = "id=\"" + id + "\">";
  const std::size_t at = html.find(begin) + begin.size();
  return html.substr(at, html.find("</script", at) - at);
}

TEST(page, text_stays_text) {
  const HtmlPage page = html_page(evil_page());
  EXPECT_EQ(page.details, 1u);
  EXPECT_EQ(count(page.html, "<script>alert"), 0u);
  EXPECT_EQ(count(page.html, "<img"), 0u);
  const Json details = Json::parse(data_of(page.html, "details-data"));
  expect_contains(details[0]["pieces"][0][1].get<std::string>(), "</script><script>alert(1)</script><!--<img");
  EXPECT_EQ(Json::parse(data_of(page.html, "tables-data"))[0]["rows"][0][1], "1");
  EXPECT_EQ(count(page.html, "</script>"), 4u) << "three of data, one of code";
}

TEST(page, asks_for_nothing) {
  const std::string html = html_page(evil_page()).html;
  expect_contains(html, "default-src 'none'");
  for (const char* part : {"src=\"http", "href=\"http", "url(", "@import", "fetch(", "XMLHttpRequest", "innerHTML"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
}

TEST(page, leaves_out_what_does_not_fit) {
  ReportPage page = evil_page();
  page.details.clear();
  for (int i = 0; i < 10; ++i) {
    page.details.push_back({{"system", 0}, {"row", i}, {"pieces", {{1, std::string(i == 2 ? 90'000 : 9'000, '<')}}}});
  }
  const HtmlPage whole = html_page(page);
  EXPECT_EQ(whole.details, 10u);
  const std::size_t limit =
      html_page(ReportPage{page.title, page.note, page.tables, page.charts, {}}).html.size() + 200'000;
  const HtmlPage part = html_page(page, limit);
  EXPECT_EQ(part.details, 3u) << "six bytes for each character; the long one does not fit, later ones do";
  EXPECT_LE(part.html.size(), limit);
  EXPECT_EQ(Json::parse(data_of(part.html, "details-data"))[2]["row"], 3);
}

// The page finds a run's line without parsing the others.
TEST(page, a_line_for_each_run) {
  ReportPage page = evil_page();
  page.details.push_back({{"system", 1}, {"row", 23}, {"pieces", {{1, "two\nlines"}}}});
  const std::string html = html_page(page).html;
  const std::string data = data_of(html, "details-data");
  EXPECT_TRUE(data.starts_with("[\n{\"system\":0,\"row\":0,")) << data.substr(0, 40);
  expect_contains(data, "},\n{\"system\":1,\"row\":23,\"pieces\":[[1,\"two\\nlines\"]]}\n]");
  EXPECT_EQ(count(data, "\n"), 3u);
  EXPECT_EQ(Json::parse(data).size(), 2u);
  page.details.clear();
  EXPECT_EQ(Json::parse(data_of(html_page(page).html, "details-data")), Json::array());
}

TEST(page, markdown_has_the_tables) {
  const std::string text = markdown_page(evil_page());
  expect_contains(text, "| system ");
  EXPECT_EQ(count(text, "<"), count(text, "\\<")) << "no tag begins";
  expect_contains(text, "\\|\\*\\_\\`");
}

}  // namespace
}  // namespace specthink
