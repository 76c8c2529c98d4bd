// Expressions, operator by operator. The outputs are those of the reference (jinja2 with the settings and
// filters of Hugging Face transformers).
#include <gtest/gtest.h>

#include "jinja/rendering.h"

namespace specthink::jinja {
namespace {

using testing_support::expect_outputs;

TEST(jinja_expressions, literals) {
  expect_outputs({
      {"{{ 1000 }} {{ 00 }} {{ 1.5e3 }} {{ 1e-7 }} {{ 2E2 }} {{ 'a' 'b' }}", "1000 0 1500.0 1e-07 200.0 ab"},
      {"{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}{{ False }}", "TrueTrueNoneNoneFalseFalse"},
      {R"({{ 'a\u00e9\x41\n\q\'\U0001F600' }}{{ "it's" }}{{ 'é' }})", "aéA\n\\q'😀it'sé"},
      {"{{ [1, 'a', none, 2.0, [true]] }}{{ (1,) }}{{ () }}{{ (1, 2) }}{{ {'a': none, 1: true} }}{{ [1,2,][0] }}{{ "
       "{'a':1,}.a }}",
       "[1, 'a', None, 2.0, [True]](1,)()(1, 2){'a': None, 1: True}11"},
      {"{{ 1, 2 }}{{ (1,2), }}{% set x = 1, 2 %}{{ x }}{% for i in 1,2 %}{{i}}{% endfor %}", "(1, 2)((1, 2),)(1, 2)12"},
      {"{{ {1:'a',1.0:'b',true:'c'} }}{{ {'a':1,'a':2,'b':3} }}", "{1: 'c'}{'a': 2, 'b': 3}"},
      {"{{ '{{' }}{{ '%}' }}{{ {'a':{'b':1}} }}{{ {'a':{'b':1}}['a']['b'] }}", "{{%}{'a': {'b': 1}}1"},
  });
}

TEST(jinja_expressions, numbers_print_as_in_python) {
  expect_outputs({
      {"{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1e22 }} {{ 1.0 }} {{ 100000000000000000000.0 }} {{ -0.0 }}",
       "1e+16 1000000000000000.0 0.0001 1e-05 1e+22 1.0 1e+20 -0.0"},
      {"{{ 0.30000000000000004 }} {{ 123456.789e3 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }}",
       "0.30000000000000004 123456789.0 5e-324 1.7976931348623157e+308"},
      {"{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }} {{ 42 }} {{ -1 }}",
       "9223372036854775807 -9223372036854775808 42 -1"},
  });
}

TEST(jinja_expressions, arithmetic) {
  expect_outputs({
      {"{{ 10 % 3 }} {{ -10 % 3 }} {{ 10 % -3 }} "
       "{{ (-9223372036854775807 - 1) % 3 }} {{ (-9223372036854775807 - 1) % -1 }}",
       "1 2 -2 1 0"},
      {"{{ 1 + 2 * 3 - 4 }}{{ (1 + 2) * 3 }}{{ 'a' * 3 }}{{ 3 * 'ab' }}{{ 'a' ~ (1 + 2) }}{{ 'a' * -1 }}",
       "39aaaabababa3"},
      {"{{ - 1 }}{{ 1 - -1 }}{{ true + 1 }}{{ -1.5 }}{{ -1|string + 'x' }}", "-122-1.5-1x"},
      {"{{ [1] + [2] }}{{ (1,) + (2,) }}{{ 'a' + 'b' }}{{ none ~ 1 ~ 1.0 ~ true ~ u }}", "[1, 2](1, 2)abNone11.0True"},
  });
}

TEST(jinja_expressions, comparisons_and_logic) {
  expect_outputs({
      {"{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 3 > 2 >= 2 != 5 }}{{ 1 in [1] in [[1]] }}{{ 1 in [1] == true }}",
       "TrueFalseTrueTrueFalse"},
      {"{{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }} {{ 1 < 1.5 }} {{ 'a' <= 'a' }} {{ 2 >= 3 }}",
       "True True True True True False"},
      {"{{ 1 == 1.0 }} {{ true == 1 }} {{ [1] == (1,) }} {{ none == none }} {{ u == v }} {{ u == none }} {{ u != none "
       "}} {{ 'a' == 1 }}",
       "True True False True True False True False"},
      {"{{ {'a':1} == {'a':1.0} }}{{ {'a':1,'b':2} == {'b':2,'a':1} }}{{ [1,[2]] == [1,[2]] }}{{ 1 != '1' }}",
       "TrueTrueTrueTrue"},
      {"{{ not true }}{{ not not 1 }}{{ not 1 in [2] }}{{ 1 or 2 }}{{ 0 or '' }}{{ 1 and 2 }}{{ 0 and 2 }}{{ not u "
       "}}{{ 'a' and [] }}",
       "FalseTrueTrue120True[]"},
      {"{{ 'b' in 'abc' }}{{ 'x' not in 'abc' }}{{ 'a' in {'a':1} }}{{ 1 in (1,2) }}{{ [1] in [[1]] }}{{ 1.0 in [1] "
       "}}{{ '' in 'a' }}{{ 'x' in u }}",
       "TrueTrueTrueTrueTrueTrueTrueFalse"},
      {R"({{ "a" if true else "b" }}{{ "a" if false else "b" if true else "c" }}{{ 'x' if 1 if 0 else 2 }}|{{ 1 if 0 }}|{{ [1 if true else 2] }})",
       "ab2||[1]"},
  });
}

TEST(jinja_expressions, attributes_and_items) {
  expect_outputs({
      {"{{ messages[0].role }}{{ messages[0]['content'] }}{{ messages[-1].role }}{{ messages[0].missing }}{{ "
       "messages[5] }}",
       "userhiuser"},
      {"{{ [1,2,3][5] }}|{{ 'abc'[7] }}|{{ [1,2,3][-1] }}|{{ [1,2,3][true] }}|{{ [1]['a'] }}|{{ 'abc'['upper']() }}|{{ "
       "'éàü'[1] }}|{{ (1, 2)[0] }}",
       "||3|2||ABC|à|1"},
      {"{{ {'items':1}.items is defined }}{{ {'items':1}['items'] }}{{ {'a':1}['items']()|list }}{{ {'pop':1}.pop }}{{ "
       "{'pop':1}['pop'] }}{{ [1].append is defined }}",
       "True1[('a', 1)]1False"},
      {"{{ {'a':1}.get('a') }}{{ {'a':1}.get('b') }}{{ {'a':1}.get('b', 5) }}{{ {'a':{'b':2}}.a.b }}|{{ {'a':1}['z'] "
       "}}|{{ {1:2}[1] }}",
       "1None52||2"},
      {"{{ {'a':1}.items() }}{{ {'a':1}.keys() }}{{ {'a':1}.values() }}{{ {'_x':1}._x }}{{ messages[0].keys()|list "
       "}}",
       "dict_items([('a', 1)])dict_keys(['a'])dict_values([1])1['role', 'content']"},
  });
}

TEST(jinja_expressions, slices) {
  expect_outputs({
      {"{{ 'abc'[::-1] }}{{ 'abcdef'[1:4] }}{{ 'abcdef'[-3:] }}{{ 'abcdef'[::2] }}{{ 'éàü'[::-1] }}{{ 'éàü'[1:] }}{{ "
       "'abc'[5:] }}{{ 'abc'[:-5] }}",
       "cbabcddefaceüàéàü"},
      {"{{ [1,2,3][::-1] }}{{ [1,2,3][-2:] }}{{ [1,2,3][5:1] }}{{ (1,2,3)[1:] }}{{ 'abc'[2:0:-1] }}{{ "
       "'abcdef'[10:2:-2] }}{{ range(5)[1:3]|list }}",
       "[3, 2, 1][2, 3][](2, 3)cbfd[1, 2]"},
      {"{{ [1,2,3][:none] }}{{ [1,2,3][true:] }}{{ 'abc'[-9223372036854775807:9223372036854775807:9223372036854775807] "
       "}}{{ messages[1:] }}",
       "[1, 2, 3][2, 3]a[]"},
  });
}

TEST(jinja_expressions, repr) {
  expect_outputs({
      {R"({{ ['it\'s', 'a"b', 'a\nb', '\x00', '\u200b', 'é', "a'b\"c", '\\', '\U000e0001', '\xa0'] }})",
       R"(["it's", 'a"b', 'a\nb', '\x00', '\u200b', 'é', 'a\'b"c', '\\', '\U000e0001', '\xa0'])"},
      {"{{ [u, none] }}{{ [u]|join(',') }}{{ u in [u] }}{{ [1.0, none, true, 'x', {'y': (1,)}] }}",
       "[Undefined, None]True[1.0, None, True, 'x', {'y': (1,)}]"},
  });
}

}  // namespace
}  // namespace specthink::jinja
