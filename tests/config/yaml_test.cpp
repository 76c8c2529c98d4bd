#include "specthink/config/yaml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "config/invocation_helpers.h"
#include "config/yaml_number.h"

namespace specthink {
namespace {

using Kind = YamlValue::Kind;

std::string yaml_error(std::string_view text) {
  return user_error([&] { parse_yaml(text, "f.yml"); });
}

TEST(yaml, keeps_kinds_lines_and_order) {
  const YamlValue root = parse_yaml("b: 20\na:\n  - 'x'\n  - ~\nc: {d: [1, \"\\n\"]}\ne: |\n  two\n  lines\n", "f.yml");
  ASSERT_EQ(root.kind, Kind::map);
  ASSERT_EQ(root.items.size(), 4u);
  EXPECT_EQ(root.items[0].key, "b");
  EXPECT_EQ(root.items[0].kind, Kind::plain);
  EXPECT_EQ(root.items[0].text, "20");
  const YamlValue* a = root.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->key_line, 2);
  ASSERT_EQ(a->items.size(), 2u);
  EXPECT_EQ(a->items[0].kind, Kind::quoted);
  EXPECT_EQ(a->items[0].line, 3);
  EXPECT_EQ(a->items[1].kind, Kind::null);
  EXPECT_EQ(root.find("c")->find("d")->items[1].text, "\n");
  EXPECT_EQ(root.find("e")->kind, Kind::quoted);
  EXPECT_EQ(root.find("e")->text, "two\nlines\n");
  EXPECT_EQ(root.find("f"), nullptr);
  EXPECT_EQ(root.items[0].find("b"), nullptr);
}

TEST(yaml, empty_document_is_null) {
  for (const char* text : {"", "\n", "# nothing but a comment\n", "---\n", "~"}) {
    EXPECT_EQ(parse_yaml(text, "f.yml").kind, Kind::null) << text;
  }
}

TEST(yaml, nulls) {
  const YamlValue root = parse_yaml("[~, null, Null, NULL, '', \"null\", none]", "f.yml");
  ASSERT_EQ(root.items.size(), 7u);
  for (int i : {0, 1, 2, 3}) EXPECT_EQ(root.items[i].kind, Kind::null) << i;
  for (int i : {4, 5}) EXPECT_EQ(root.items[i].kind, Kind::quoted) << i;
  EXPECT_EQ(root.items[6].kind, Kind::plain);
}

TEST(yaml, tags) {
  const YamlValue root = parse_yaml("[!!str 5, !!int 5, ! 5, !!seq [], !!map {}]", "f.yml");
  EXPECT_EQ(root.items[0].kind, Kind::quoted);
  EXPECT_EQ(root.items[1].kind, Kind::plain);
  EXPECT_EQ(root.items[2].kind, Kind::quoted);
  EXPECT_EQ(root.items[3].kind, Kind::list);
  EXPECT_EQ(root.items[4].kind, Kind::map);
  expect_contains(yaml_error("a: 1\nb: !!python/object:os.system ls\n"), "f.yml:2: unknown tag");
  expect_contains(yaml_error("a: !!seq {}\n"), "f.yml:1: unknown tag");
}

TEST(yaml, anchors_are_resolved) {
  const YamlValue root = parse_yaml("a: &x [p, q]\nb: *x\nc: &y text\nd: *y\n", "f.yml");
  EXPECT_EQ(root.find("b")->items.size(), 2u);
  EXPECT_EQ(root.find("b")->items[1].text, "q");
  EXPECT_EQ(root.find("b")->line, 2);
  EXPECT_EQ(root.find("d")->text, "text");
}

TEST(yaml, duplicates_name_both_lines) {
  expect_contains(yaml_error("a: 1\nb: 2\na: 3\n"), "f.yml:3: key \"a\" is given twice, first in line 1");
  expect_contains(yaml_error("a:\n  x: 1\n  y: 2\n  \"x\": 3\n"), "f.yml:4: key \"x\" is given twice, first in line 2");
  EXPECT_EQ(parse_yaml("a: {x: 1}\nb: {x: 2}\n", "f.yml").items.size(), 2u);  // the same key in another map
}

TEST(yaml, aliases_cannot_grow_a_document) {
  std::string bomb = "a: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("b{0}: &a{0} [", i);
    for (int j = 0; j < 9; ++j) bomb += fmt::format("{}*a{}", j ? ", " : "", i - 1);
    bomb += "]\n";
  }
  expect_contains(yaml_error(bomb), "aliases");
  std::string long_text = "a: &a " + std::string(500'000, 'x') + "\nb: [";
  for (int j = 0; j < 1000; ++j) long_text += "*a, ";
  expect_contains(yaml_error(long_text + "]\n"), "aliases");
  expect_contains(yaml_error("a: &a [*a]\n"), "f.yml:1: an alias (*) must not stand inside its own anchor");
  expect_contains(yaml_error("a: *b\n"), "f.yml:1:");
}

TEST(yaml, depth_is_limited) {
  EXPECT_EQ(parse_yaml(std::string(16, '[') + std::string(16, ']'), "f.yml").kind, Kind::list);
  for (int depth : {17, 1000, 20'000}) {
    expect_contains(yaml_error(std::string(depth, '[') + std::string(depth, ']')), "nested deeper than 16");
    expect_contains(yaml_error(std::string(depth, '[')), "f.yml:1: ");
  }
  std::string nested = "a: &a0 []\n";
  for (int i = 1; i < 20; ++i) nested += fmt::format("b{0}: &a{0} [*a{1}]\n", i, i - 1);
  expect_contains(yaml_error(nested), "nested deeper than 16");
}

TEST(yaml, text_that_is_no_yaml) {
  expect_contains(yaml_error("a: 1\nb: [1, 2\n"), "f.yml:");
  expect_contains(yaml_error("a: 1\n b: 2\n"), "f.yml:2: not valid YAML");
  for (const char* open :
       {"a: 'open", "a: 'open\n", "a: \"open\n\n", "a: [b, 'open\n  \n", "a: \"open\n# no comment\n"}) {
    expect_contains(yaml_error(open), "not valid YAML");
  }
  expect_contains(yaml_error("a: 1\n---\nb: 2\n"), "a second YAML document begins");
  expect_contains(yaml_error("a: 1\n\xff\xfe: 2\n"), "f.yml:2: not valid UTF-8");
  expect_contains(yaml_error(std::string_view("a: 1\nb: \0 2\n", 12)), "f.yml:2: control character 0x00");
  expect_contains(yaml_error("a: 1\n\x04 b: 2\n"), "f.yml:2: control character 0x04");
  expect_contains(yaml_error("[a, b]: 1\n"), "f.yml:1: a key must be text");
  expect_contains(yaml_error("? {a: b}\n: 1\n"), "a key must be text");
  expect_contains(yaml_error("~: 1\n"), "f.yml:1: a key must be text, found null");
}

TEST(yaml, malformed_texts_fail_as_user_errors_or_parse) {
  // Every cut and every single-byte change of a document: no crash, nothing but UserError.
  const std::string document =
      "a: &x [1, \"\\n\\u00e9\", 'q']\nb: {c: *x, d: |\n    text\n  }\n? e\n: !!str 5 # comment\n%x\n";
  int failures = 0;
  const auto try_text = [&](const std::string& text) {
    try {
      parse_yaml(text, "f.yml");
    } catch (const UserError& error) {
      ++failures;
      EXPECT_EQ(std::string(error.what()).rfind("f.yml:", 0), 0u) << error.what();
    }
  };
  for (std::size_t i = 0; i <= document.size(); ++i) try_text(document.substr(0, i));
  for (std::size_t i = 0; i < document.size(); ++i) {
    for (char c : {'\n', '\t', ':', '[', '}', '"', '&', '*', '!', '%', '-', '\x80', '\0'}) {
      std::string changed = document;
      changed[i] = c;
      try_text(changed);
    }
  }
  EXPECT_GT(failures, 100);
}

TEST(yaml, file_size_is_limited) {
  const TemporaryFolder folder;
  const std::string fits = folder.write("fits.yml", "a: 1 #" + std::string((1 << 20) - 6, 'x'));
  EXPECT_EQ(read_yaml(fits).items.size(), 1u);
  const std::string large = folder.write("large.yml", "a: 1 #" + std::string((1 << 20) - 5, 'x'));
  expect_contains(user_error([&] { read_yaml(large); }), "large.yml");
  expect_contains(user_error([&] { read_yaml(folder.path() / "missing.yml"); }), "missing.yml");
  expect_contains(user_error([&] { read_yaml(folder.path()); }), folder.path().string());
}

TEST(yaml, integers_as_pyyaml_reads_them) {
  const std::map<std::string, std::int64_t> integers{{"1_000", 1000}, {"0x1_f", 31}, {"0b101", 5},         {"017", 15},
                                                     {"00", 0},       {"+1", 1},     {"-0x10", -16},       {"1:30", 90},
                                                     {"-1:30", -90},  {"0b1_0", 2},  {"190:20:30", 685230}};
  for (const auto& [text, expected] : integers) {
    const auto number = read_yaml_integer(text);
    ASSERT_TRUE(number) << text;
    const auto magnitude = static_cast<std::int64_t>(number->magnitude);
    EXPECT_EQ(number->is_negative ? -magnitude : magnitude, expected) << text;
  }
  for (const char* text :
       {"0o17", "08", "_1", "0x", "1:60", "1:", ":1", "1.5", "", "-", "18446744073709551616", "0:30"}) {
    EXPECT_FALSE(read_yaml_integer(text)) << text;
  }
}

TEST(yaml, reals_as_pyyaml_reads_them) {
  const std::map<std::string, double> reals{
      {"1_000.5", 1000.5},         {".5", 0.5},  {"5.", 5},     {"1.5E+3", 1500}, {"685.230_15e+03", 685230.15},
      {"190:20:30.15", 685230.15}, {"0x10", 16}, {"-1.5", -1.5}};
  for (const auto& [text, expected] : reals) EXPECT_EQ(read_yaml_real(text), expected) << text;
  EXPECT_TRUE(std::isinf(read_yaml_real("-.INF").value()));
  EXPECT_TRUE(std::isnan(read_yaml_real(".NaN").value()));
  for (const char* text : {"_1.5", "1.5x", "e3", ".", "1:30:", "--1", "+-1.5"})
    EXPECT_FALSE(read_yaml_real(text)) << text;
}

TEST(yaml, numbers_and_booleans_are_not_words) {
  for (const char* text : {"0", "-1", "+5", "1.5", ".5", "5.", "1e3", ".inf", "-.inf", ".nan", "1e999"}) {
    EXPECT_TRUE(is_plain_number(text)) << text;
  }
  for (const char* text : {"", "+", "-", ".", "inf", "nan", "1x", "1 2", "e5", "+-1", "1,2", "v1"}) {
    EXPECT_FALSE(is_plain_number(text)) << text;
  }
  EXPECT_TRUE(is_plain_boolean("True"));
  EXPECT_FALSE(is_plain_boolean("yes"));
}

TEST(yaml, flow_style_is_read_back) {
  const Json value = {
      {"a b", {1, "x: y", "\n\"\\é\u007f", nullptr, true, 0.5}}, {"c", Json::object()}, {"d", Json::array()}};
  const std::string text = to_flow_yaml(value);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(parse_json(text, "flow"), value);
  const YamlValue read = parse_yaml("k: " + text + "  # comment", "flow");
  EXPECT_EQ(read.items[0].find("a b")->items[2].text, "\n\"\\é\u007f");
  EXPECT_EQ(to_flow_yaml({1, "a"}), "[1, \"a\"]");
}

TEST(yaml, quoted_text_stays_on_one_line_and_short) {
  EXPECT_EQ(quote("a\nb"), "\"a\\nb\"");
  EXPECT_EQ(quote("\xff"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(quote("ééé", 3), "\"é\"…");
}

}  // namespace
}  // namespace specthink
