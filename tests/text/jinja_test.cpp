// The template language, construct by construct. The outputs are those of the reference (jinja2 with the settings and
// filters of Hugging Face transformers).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "specthink/text/chat_template.h"

namespace specthink {
namespace {

struct Case {
  const char* source;
  const char* output;
};

void expect_outputs(const std::vector<Case>& cases) {
  const OrderedJson messages = {{{"role", "user"}, {"content", "hi"}}};
  for (const Case& c : cases) {
    try {
      EXPECT_EQ(ChatTemplate::parse(c.source, OrderedJson::object(), "test").render(messages, {}), c.output)
          << c.source;
    } catch (const std::exception& error) {
      ADD_FAILURE() << c.source << "\n" << error.what();
    }
  }
}

TEST(jinja, literals) {
  expect_outputs({
      {"{{ 1_000 }} {{ 0x1f }} {{ 0b11 }} {{ 0o17 }} {{ 00 }} {{ 1.5e3 }} {{ 1e-7 }} {{ 'a' 'b' }}",
       "1000 31 3 15 0 1500.0 1e-07 ab"},
      {"{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}{{ False }}", "TrueTrueNoneNoneFalseFalse"},
      {R"({{ 'a\u00e9\x41\n\q\'\101' }}{{ "it's" }}{{ 'é' }})", "aéA\n\\q'Ait'sé"},
      {"{{ [1, 'a', none, 2.0, [true]] }}{{ (1,) }}{{ () }}{{ (1, 2) }}{{ {'a': none, 1: true} }}{{ [1,2,][0] }}{{ "
       "{'a':1,}.a }}",
       "[1, 'a', None, 2.0, [True]](1,)()(1, 2){'a': None, 1: True}11"},
      {"{{ 1, 2 }}{{ (1,2), }}{% set x = 1, 2 %}{{ x }}{% for i in 1,2 %}{{i}}{% endfor %}", "(1, 2)((1, 2),)(1, 2)12"},
      {"{{ {1:'a',1.0:'b',true:'c'} }}{{ {'a':1,'a':2,'b':3} }}", "{1: 'c'}{'a': 2, 'b': 3}"},
      {"{{ '{{' }}{{ '%}' }}{{ {'a':{'b':1}} }}{{ {'a':{'b':1}}['a']['b'] }}", "{{%}{'a': {'b': 1}}1"},
  });
}

TEST(jinja, numbers_print_as_in_python) {
  expect_outputs({
      {"{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1e22 }} {{ 1.0 }} {{ 100000000000000000000.0 }} {{ -0.0 }}",
       "1e+16 1000000000000000.0 0.0001 1e-05 1e+22 1.0 1e+20 -0.0"},
      {"{{ 0.1+0.2 }} {{ 1/3 }} {{ 123456.789e3 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 1e308*10 }} {{ "
       "1e308*10-1e308*10 }}",
       "0.30000000000000004 0.3333333333333333 123456789.0 5e-324 1.7976931348623157e+308 inf nan"},
      {"{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }} {{ 42 }} {{ -1 }}",
       "9223372036854775807 -9223372036854775808 42 -1"},
  });
}

TEST(jinja, arithmetic) {
  expect_outputs({
      {"{{ 10 // 3 }} {{ -10 // 3 }} {{ -10 % 3 }} {{ 10 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2**3 }} {{ 2**-1 }} "
       "{{ 2**0.5 }}",
       "3 -4 2 -2 3.0 0.5 8 0.5 1.4142135623730951"},
      {"{{ 1/2 }} {{ 4/2 }} {{-2**2}} {{ 2**3**2 }} {{ -7.5 // 2 }} {{ 7.5 % -2 }} {{ 5 % 5.0 }} {{ "
       "(-9223372036854775807 - 1) % 3 }}",
       "0.5 2.04 64 -4.0 -0.5 0.0 1"},
      {"{{ 1 + 2 * 3 - 4 / 2 }}{{ (1 + 2) * 3 }}{{ 'a' * 3 }}{{ 3 * 'ab' }}{{ [1] * 2 }}{{ 'a' ~ (1 + 2) }}{{ 'a' * -1 "
       "}}",
       "5.09aaaababab[1, 1]a3"},
      {"{{ -1|abs }}{{ - 1 }}{{ +1 }}{{ 1 - -1 }}{{ true + 1 }}{{ 1 + 1.5 }}{{ -1|string + 'x' }}", "1-11222.5-1x"},
      {"{{ [1] + [2] }}{{ (1,) + (2,) }}{{ 'a' + 'b' }}{{ none ~ 1 ~ 1.0 ~ true ~ u }}", "[1, 2](1, 2)abNone11.0True"},
  });
}

TEST(jinja, comparisons_and_logic) {
  expect_outputs({
      {"{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 3 > 2 >= 2 != 5 }}{{ 1 in [1] in [[1]] }}{{ 1 in [1] == true }}",
       "TrueFalseTrueTrueFalse"},
      {"{{ [1,2] < [1,3] }} {{ (1,) < (1,2) }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }} {{ 1 < 1.5 }}",
       "True True True True True True"},
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

TEST(jinja, tests) {
  expect_outputs({
      {"{{ u is defined }}{{ u is undefined }}{{ 1 is defined }}{{ none is none }}{{ u is none }}{{ u is not none }}{{ "
       "messages[0].x is not defined }}",
       "FalseTrueTrueTrueFalseTrueTrue"},
      {"{{ 'a' is string }}{{ 1 is string }}{{ {} is mapping }}{{ [] is mapping }}{{ [] is sequence }}{{ {} is "
       "sequence }}{{ 'a' is sequence }}{{ 1 is sequence }}",
       "TrueFalseTrueFalseTrueTrueTrueFalse"},
      {"{{ 1 is number }}{{ true is number }}{{ '1' is number }}{{ true is integer }}{{ 1 is integer }}{{ 1.0 is "
       "integer }}{{ 1.0 is float }}{{ 1 is float }}",
       "TrueTrueFalseFalseTrueFalseTrueFalse"},
      {"{{ u is sequence }}{{ u is iterable }}{{ u is mapping }}{{ 1 is iterable }}{{ none is iterable }}{{ {}.items() "
       "is sequence }}{{ range(3) is sequence }}",
       "TrueTrueFalseFalseFalseFalseTrue"},
      {"{{ true is boolean }}{{ 1 is boolean }}{{ 1 is true }}{{ true is true }}{{ false is false }}{{ 0 is false }}{{ "
       "none is false }}",
       "TrueFalseFalseTrueTrueFalseFalse"},
      {"{{ 3 is odd }}{{ 3 is even }}{{ 3 is divisibleby 3 }}{{ 3 is eq 3 }}{{ 3 is ne 3 }}{{ 3 is gt 2 }}{{ 3 is lt 2 "
       "}}{{ 3 is ge 3 }}{{ 3 is le 3 }}{{ 'a' is equalto 'a' }}",
       "TrueFalseTrueTrueFalseTrueFalseTrueTrueTrue"},
      {"{{ 1 is in [1] }} {{ 1 is not in [1] }} {{ 'a' is in 'abc' }} {{ 'a' is sameas 'a' }} {{ true is sameas 1 }} "
       "{{ none is sameas none }}",
       "True False True True False True"},
      {"{{ 'Ab' is upper }}{{ 'AB' is upper }}{{ 'ab1' is lower }}{{ '1' is lower }}{{ range is callable }}{{ 1 is "
       "callable }}",
       "FalseTrueTrueFalseTrueFalse"},
      {"{{ messages is iterable and messages is not mapping }}{{ messages is string }}{{ messages[0] is mapping }}",
       "TrueFalseTrue"},
  });
}

TEST(jinja, attributes_and_items) {
  expect_outputs({
      {"{{ messages.0.role }}{{ messages[0]['content'] }}{{ messages[-1].role }}{{ messages[0].missing }}{{ "
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
       "}}{{ {'a':1}.copy() }}",
       "dict_items([('a', 1)])dict_keys(['a'])dict_values([1])1['role', 'content']{'a': 1}"},
      {"{{ [1,2,1].count(1) }}{{ [1,2,1].index(2) }}{{ (1,2).index(2) }}", "211"},
  });
}

TEST(jinja, slices) {
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

TEST(jinja, string_methods) {
  expect_outputs({
      {"{{ 'a b  c'.split() }}{{ 'a,b,c'.split(',') }}{{ 'a,b,c'.split(',',1) }}{{ 'a,b,c'.rsplit(',',1) }}{{ ' a b c "
       "'.split(none,1) }}{{ ' a b c '.rsplit(none,1) }}{{ 'a,b'.split(sep=',') }}",
       "['a', 'b', 'c']['a', 'b', 'c']['a', 'b,c']['a,b', 'c']['a', 'b c '][' a b', 'c']['a', 'b']"},
      {R"({{ ''.split() }}{{ ''.split(',') }}{{ '  '.split() }}{{ 'a b'.split(none,0) }}{{ 'a\nb\r\nc\x0bd\u2028e'.splitlines() }}{{ 'a\n\nb\n'.splitlines(true) }})",
       R"([][''][]['a b']['a', 'b', 'c', 'd', 'e']['a\n', '\n', 'b\n'])"},
      {R"({{ 'xxabcxx'.strip('x') }}{{ 'xxabcxx'.lstrip('x') }}{{ 'xxabcxx'.rstrip('x') }}|{{ '\u3000 a\u00a0'.strip() }}|{{ 'abc'.strip('') }}{{ 'éaé'.strip('é') }}{{ ' a '.strip(none) }})",
       "abcabcxxxxabc|a|abcaa"},
      {"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x','bc')) }}{{ 'abc'.startswith('b',1) }}{{ "
       "'abc'.startswith('c',-1) }}{{ 'abc'.endswith('b',0,2) }}{{ 'abc'.startswith('') }}{{ 'abc'.startswith('',4) }}",
       "TrueTrueTrueTrueTrueTrueFalse"},
      {"{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'éabc'.find('c') }}{{ 'abc'.find('x') }}{{ "
       "'abc'.find('c',-1) }}{{ 'abc'.count('') }}{{ 'aaa'.count('a') }}{{ 'aaa'.count('aa') }}{{ 'abc'.index('b') }}",
       "253-124311"},
      {"{{ 'abc'.replace('b','X') }}{{ 'aaa'.replace('a','b',2) }}{{ 'abc'.replace('','-') }}{{ 'é'.replace('','-',1) "
       "}}{{ ''.replace('','x') }}{{ ','.join(['a','b']) }}",
       "aXcbba-a-b-c--éxa,b"},
      {R"({{ 'hello wORLD'.title() }}{{ "it's a-b (c".title() }}{{ 'hELLO'.capitalize() }}{{ 'straße ŉ ﬁ'.upper() }}{{ 'ßa'.capitalize() }}{{ 'ΑΣ Σ'.lower() }}{{ 'İ'.lower()|length }}{{ 'ŉa ﬁ ǆ'.title() }}{{ 'ᾳ ᾀ'.upper() }})",
       "Hello WorldIt'S A-B (CHelloSTRASSE ʼN FISsaας σ2ʼNa Fi ǅΑΙ ἈΙ"},
      {"{{ 'abc'.center(8) }}|{{ 'ab'.center(7,'-') }}|{{ 'abc'.ljust(5) }}|{{ 'abc'.rjust(5,'.') }}|{{ '-5'.zfill(4) "
       "}}{{ '5'.zfill(3) }}",
       "  abc   |---ab--|abc  |..abc|-005005"},
      {"{{ 'a-b'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'ab'.partition('-') }}{{ 'ab'.rpartition('-') }}{{ "
       "'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}",
       "('a', '-', 'b')('a-b', '-', 'c')('ab', '', '')('', '', 'ab')bcab"},
      {"{{ '12'.isdigit() }}{{ ''.isdigit() }}{{ 'ab'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ "
       "'AB'.isupper() }}{{ 'ab'.islower() }}{{ '²'.isdigit() }}",
       "TrueFalseTrueTrueTrueTrueTrueTrue"},
  });
}

TEST(jinja, percent_formatting) {
  expect_outputs({
      {"{{ '%s is %d' % ('a', 3) }} {{ '%05.2f|%-5s|%5s|%x' % (3.14159,'a','b',255) }} {{ '%s'|format(1) }} {{ "
       "'%(a)s'|format(a=1) }}",
       "a is 3 03.14|a    |    b|ff 1 1"},
      {"{{ '%d' % 3.7 }}{{ '%5d|%-5d|%05d|%+d|% d' % (1,2,-3,4,5) }}{{ '%e %g %G' % (1.5, 1e20, 0.00001) }}{{ '%%' % "
       "() }}{{ '%r' % 'a' }}{{'%.2s' % 'abc'}}{{ '%c%c' % (65, 'é') }}",
       "3    1|2    |-0003|+4| 51.500000e+00 1e+20 1E-05%'a'abAé"},
      {"{{ '%s' % [1,2] }}{{ '%#x %o %X' % (255, 8, 255) }}{{ 'a' % [] }}{{ '%.3d' % 5 }}", "[1, 2]0xff 10 FFa005"},
  });
}

TEST(jinja, repr) {
  expect_outputs({
      {R"({{ ['it\'s', 'a"b', 'a\nb', '\x00', '\u200b', 'é', "a'b\"c", '\\', '\U000e0001', '\xa0'] }})",
       R"(["it's", 'a"b', 'a\nb', '\x00', '\u200b', 'é', 'a\'b"c', '\\', '\U000e0001', '\xa0'])"},
      {"{{ [u, none] }}{{ [u]|join(',') }}{{ u in [u] }}{{ [1.0, none, true, 'x', {'y': (1,)}] }}",
       "[Undefined, None]True[1.0, None, True, 'x', {'y': (1,)}]"},
  });
}

TEST(jinja, filters_on_values) {
  expect_outputs({
      {"{{ 'x'|default('y') }}{{ u|d('y') }}{{ ''|default('y',true) }}{{ none|default('y') }}{{ "
       "none|default('y',boolean=true) }}{{ u|default }}",
       "xyyNoney"},
      {"{{ '  a '|trim }}|{{ 'xax'|trim('x') }}{{ 5|trim }}{{ none|upper }}{{ 5|upper }}{{ 5|replace('5',6) }}{{ "
       "true|lower }}{{ 'aaa'|replace('a','b',2) }}",
       "a|a5NONE56truebba"},
      {R"({{ 'hello wORLD'|title }}{{ "it's a-b (c"|title }}{{ 'hELLO'|capitalize }}{{ 'a'|safe }}{{ [1,2]|string }}{{ 1.0|string }}{{ 'abc'|center(9) }}|)",
       "Hello WorldIt's A-B (CHelloa[1, 2]1.0   abc   |"},
      {"{{ '3'|int }}{{ '3.7'|int }}{{ 'x'|int }}{{ 'x'|int(5) }}{{ '0x1f'|int(base=16) }}{{ '1f'|int(0,16) }}{{ "
       "3.9|int }}{{ -3.9|int }}{{ true|int }}{{ none|int }}{{ [1]|int(7) }}{{ ' 12 '|int }}{{ '1_0'|int }}{{ '-5'|int "
       "}}{{ '1e3'|int }}",
       "330531313-31071210-51000"},
      {"{{ '3'|float }} {{ '3.5e2'|float }} {{ 'x'|float }} {{ 'x'|float(1.5) }} {{ 3|float }} {{ 'inf'|float }} {{ "
       "'-inf'|float }} {{ 'nan'|float }} {{ '0x10'|float }} {{ '1_0.5'|float }}",
       "3.0 350.0 0.0 1.5 3.0 inf -inf nan 0.0 10.5"},
      {"{{ 42.55|round }} {{ 42.55|round(1) }} {{ 42.55|round(1,'floor') }} {{ 42.55|round(1,'ceil') }} {{ 2.5|round "
       "}} {{ 3.5|round }} {{ 42|round }} {{ 1234.5|round(-2) }} {{ 2.675|round(2) }} {{ 42|round(0,'floor') }}",
       "43.0 42.5 42.5 42.6 2.0 4.0 42 1200.0 2.67 42.0"},
      {R"({{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2,true) }}|{{ 'a\n\nb'|indent(2,blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\n'|indent }}|{{ ''|indent(first=true) }})",
       "a\n    b\n\n    c|  a\n  b\n\n  c|a\n  \n  b|a\n> b|a\n|    "},
      {R"({{ -3|abs }}{{ 2.5|abs }}{{ "a"|upper|lower ~ "b"|upper }}{{ ("a" ~ "b")|upper }}{{ "a" + "b"|upper }})",
       "32.5aBABaB"},
  });
}

TEST(jinja, filters_on_sequences) {
  expect_outputs({
      {"{{ 'abc'|length }}{{ [1,2]|count }}{{ {'a':1}|length }}{{ 'é😀'|length }}{{ 'abc'|first }}{{ 'abc'|last }}{{ "
       "[1,2]|last }}{{ []|first }}{{ {'a':1}|first }}",
       "3212ac2a"},
      {"{{ [1,'a',none,2.5]|join('-') }}{{ [{'a':1},{'a':2}]|join(',', attribute='a') }}{{ 'abc'|join('.') }}{{ "
       "'abc'|list }}{{ {'a':1}|list }}",
       "1-a-None-2.51,2a.b.c['a', 'b', 'c']['a']"},
      {"{{ [3,1,2]|sort|first }} {{ ['b','A']|sort }} {{ ['b','A','a','B']|sort(reverse=true) }} {{ "
       "['b','A','a','B']|sort(case_sensitive=true) }} {{ [none,none]|sort }}",
       "1 ['A', 'b'] ['b', 'B', 'A', 'a'] ['A', 'B', 'a', 'b'] [None, None]"},
      {"{{ [{'a':2,'b':1},{'a':1,'b':2}]|sort(attribute='a') }} {{ [{'a':2,'b':1},{'a':2,'b':0}]|sort(attribute='a,b') "
       "}}",
       "[{'a': 1, 'b': 2}, {'a': 2, 'b': 1}] [{'a': 2, 'b': 0}, {'a': 2, 'b': 1}]"},
      {"{{ {'b':1,'A':2}|dictsort }} {{ {'b':1,'A':2}|dictsort(true) }} {{ {'b':1,'A':2}|dictsort(false,'value') }} {{ "
       "{'b':1,'A':2}|dictsort(reverse=true) }} {{ {'b':1}|items|list }}",
       "[('A', 2), ('b', 1)] [('A', 2), ('b', 1)] [('b', 1), ('A', 2)] [('b', 1), ('A', 2)] [('b', 1)]"},
      {"{{ [1,1,2,'a','A']|unique|list }} {{ 'abc'|reverse }} {{ [1,2]|reverse|list }} {{ [1,2,3]|sum }} {{ "
       "[{'a':1}]|sum('a') }} {{ [3,1]|min }} {{ ['b','A']|max }} {{ [{'a':1},{'a':3}]|max(attribute='a') }}",
       "[1, 2, 'a'] cba [2, 1] 6 1 1 b {'a': 3}"},
      {"{{ [1,2,3,4]|select('odd')|list }}{{ [1,2,3]|reject('odd')|list }}{{ [0,1,'']|select|list }}{{ "
       "[1,5]|select('>',2)|list }}{{ [1,5]|select('in',[5])|list }}",
       "[1, 3][2][1][5][5]"},
      {"{{ messages|selectattr('role','equalto','user')|list|length }}{{ "
       "messages|rejectattr('role','equalto','user')|list }}{{ messages|selectattr('x')|list }}{{ "
       "messages|selectattr('role')|map(attribute='content')|join }}",
       "1[][]hi"},
      {"{{ messages|map(attribute='role')|list }}{{ messages|map(attribute='x',default='d')|list }}{{ "
       "['a','b']|map('upper')|list }}{{ ['a']|map('replace','a','b')|list }}{{ [[1,2]]|map('first')|list }}{{ "
       "[{'a':{'b':1}}]|map(attribute='a.b')|list }}{{ [[5,6]]|map(attribute=1)|list }}{{ "
       "[[5,6]]|map(attribute='1')|list }}",
       "['user']['d']['A', 'B']['b'][1][1][6][6]"},
      {"{% set g = [1,2,3]|select('odd') %}{{ g|list }}{{ g|list }}{% if g %}T{% endif %}{{ g|first is defined }}",
       "[1, 3][]TFalse"},
      {"{{ u|length }}{{u|list}}{{ u|join "
       "}}{{u|upper}}{{u|trim}}{{u|first}}{{u|last}}{{u|string}}{{u|items|list}}{{u|sort}}{{u|map('upper')|list}}{{u|"
       "selectattr('x')|list}}{{u|sum}}{{u|min}}",
       "0[][][][][]0"},
  });
}

TEST(jinja, tojson) {
  expect_outputs({
      {R"({{ {'a':1,'b':[1,2,{'c':none}],'d':1.5,'e':'x\n"'} | tojson }}{{ [[]]|tojson }}{{ {}|tojson }}{{ (1,2)|tojson }}{{ 1e16|tojson }}{{ true|tojson }})",
       R"({"a": 1, "b": [1, 2, {"c": null}], "d": 1.5, "e": "x\n\""}[[]]{}[1, 2]1e+16true)"},
      {R"({{ 'é\u2028\x7f\x01"\\/<&\'' |tojson }}{{ 'é😀\x7f"\\/' |tojson(ensure_ascii=true) }})",
       "\"é\u2028\177\\u0001\\\"\\\\/<&'\"\"\\u00e9\\ud83d\\ude00\\u007f\\\"\\\\/\""},
      {"{{ [1,{'a':[2,'x'],'b':{}, 'c':[]}]|tojson(indent=2) }}{{ {'b':1,'a':2}|tojson(sort_keys=true, "
       "separators=(',',':')) }}{{ [1,2]|tojson(indent=0) }}",
       "[\n  1,\n  {\n    \"a\": [\n      2,\n      \"x\"\n    ],\n    \"b\": {},\n    \"c\": []\n  "
       "}\n]{\"a\":2,\"b\":1}[\n1,\n2\n]"},
      {"{{ [1,{'a':1}]|tojson(indent='--') }}{{ [1]|tojson(4) }}{{ {1:2,none:3,1.5:2,false:1}|tojson }}{{ [1e308*10, "
       "-1e308*10]|tojson }}",
       "[\n--1,\n--{\n----\"a\": 1\n--}\n][1]{\"1\": 2, \"null\": 3, \"1.5\": 2, \"false\": 1}[Infinity, -Infinity]"},
  });
}

TEST(jinja, loops) {
  expect_outputs({
      {"{% for c in 'aé' %}{{loop.index}}{{c}}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.revindex }}{{ "
       "loop.revindex0 }}{{ loop.cycle('x','y') }}{{ loop.depth }}{{ loop.length }}{{ loop.first }}{{ loop.last }}|{% "
       "endfor %}",
       "1aé21x12TrueFalse|2éa10y12FalseTrue|"},
      {"{% for k, v in {'a':1,'b':2}.items() %}{{k}}={{v}}{{ ',' if not loop.last }}{% endfor %}{% for k in {'a':1} "
       "%}{{k}}{% endfor %}{% for k,v in {'a':1}|items %}{{k}}{{v}}{% endfor %}",
       "a=1,b=2aa1"},
      {"{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(1,7,2) %}{{ i }}{% endfor %}{% for i in "
       "range(3,0,-1) %}{{ i }}{% endfor %}{{ range(5)|list }}{{ range(5)|length }}{{ 3 in range(5) }}{{ range(5)[2] "
       "}}",
       "012135321[0, 1, 2, 3, 4]5True2"},
      {"{% for x in [] %}a{% else %}b{% endfor %}{% for x in u %}{% else %}none{% endfor %}{% for x in [3,1]|sort "
       "%}{{x}}{% endfor %}",
       "bnone13"},
      {"{% for (a,b),c in [((1,2),3)] %}{{a}}{{b}}{{c}}{% endfor %}", "123"},
      {"{% set m=1 %}{% for x in [1,2,1] if x==m %}{{loop.length}}{{loop.index}}{{loop.last}}{% endfor %}{% for x in "
       "[1,2] if x > 5 %}{% else %}E{% endfor %}",
       "21False22TrueE"},
      {"{% set ns = namespace(n=0) %}{% for x in [1,2,3,4] if x > ns.n %}{{x}}{% set ns.n = x + 1 %}{% endfor %}",
       "13"},
      {"{% set ns = namespace(n=0) %}{% for x in [1,2,3,4] if x > ns.n %}{{x}}{{ loop.last }}{% set ns.n = x + 1 %}{% "
       "endfor %}",
       "1False2False3False4True"},
      {"{% for i in [1,2] %}{% for j in [1,2] if loop.first %}{{i}}{{j}}{% endfor %}{% endfor %}{% for i in [1,2] %}{% "
       "for j in 'ab' %}{{loop.index}}{% endfor %}{{loop.index}}{% endfor %}",
       "1112121122"},
      {"{% for x in [1,2,3] %}{% if x==2 %}{% continue %}{% endif %}{{x}}{% endfor %}{% for x in [1,2,3] %}{% if x==2 "
       "%}{% break %}{% endif %}{{x}}{% endfor %}",
       "131"},
      {"{% for x in [1,2] %}{% continue %}{% else %}E{% endfor %}{% for x in [1,2] %}{% break %}{% else %}E{% endfor "
       "%}{% for x in [1,2] %}{% if x==2 %}{% break %}{% endif %}{% else %}E{% endfor %}",
       "EE"},
      {"{% for i in [1,2] %}{% for j in [] %}{% else %}{% break %}{% endfor %}{{i}}{% endfor %}", ""},
  });
}

TEST(jinja, scopes) {
  expect_outputs({
      {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{x}}{% endfor %}{{x}}{% if 1 %}{% set x = 3 %}{% endif "
       "%}{{x}}",
       "213"},
      {"{% for i in [1,2] %}{% if loop.first %}{% set z = 5 %}{% endif %}{{ z }}|{% endfor %}{{ z }}{{ i }}", "5||"},
      {"{% set x %}{% set y=1 %}a{% endset %}{{y}}{{x}}{% set x | upper | replace('A','b') %} a {% endset %}{{x}}",
       "a b "},
      {"{% set a,b='xy' %}{{a}}{{b}}{% set (a,(b,c))=(1,(2,3)) %}{{a}}{{b}}{{c}}", "xy123"},
      {"{% set ns = namespace(x=1) %}{{ns.y}}{{ns['x']}}{% set ns.x = ns.x + 1 %}{{ ns.x }}{% set ns.q, z = 4, 5 "
       "%}{{ns.q}}{{z}}",
       "1245"},
      {"{% set ns = namespace() %}{% for i in [1,2,3] %}{% set ns.last = i %}{% endfor %}{{ ns.last }}{{ ns is mapping "
       "}}{% set ns = namespace({'a':1}, b=2) %}{{ ns.a }}{{ ns.b }}",
       "3False12"},
      {"{% set a=1 %}{% generation %}{% set a=2 %}{{a}}{% endgeneration %}{{a}}", "21"},
      {"{{ dict(a=1, b=2) }}{{ dict({'a':1}, c=3) }}{{ dict([('x',1)]) }}{% set messages = messages[1:] %}{{ messages "
       "}}",
       "{'a': 1, 'b': 2}{'a': 1, 'c': 3}{'x': 1}[]"},
  });
}

TEST(jinja, macros) {
  expect_outputs({
      {"{% macro f(a, b=a) %}{{a}}-{{b}}{% endmacro %}{{f(1)}}|{{f()}}|{{f(b=3)}}|{{f(1,2)}}", "1-1|-|-3|1-2"},
      {"{% set x=1 %}{% macro m() %}{{x}}{% set x=5 %}{{x}}{% endmacro %}{% set x=3 %}{{m()}}{{x}}", "353"},
      {"{% macro m() %}{{y}}{% endmacro %}{% set y=3 %}{{m()}}{% for q in [7] %}{% macro n() %}{{q}}{% endmacro "
       "%}{{n()}}{% endfor %}",
       "37"},
      {"{% macro r(n) %}{{n}}{% if n > 0 %}{{ r(n-1) }}{% endif %}{% endmacro %}{{ r(20) }}{{ r(1)|length }}{% set ns "
       "= namespace(f=r) %}{{ ns.f(1) }}",
       "20191817161514131211109876543210210"},
  });
}

TEST(jinja, branches) {
  expect_outputs({
      {"{% if 0 %}a{% elif 1 %}b{% elif 1 %}c{% else %}d{% endif %}{% if 0 %}a{% else %}d{% endif %}{% if 1: %}x{% "
       "endif %}{% if 1, %}x{% endif %}{% if () %}y{% endif %}",
       "bdxx"},
      {"{%- if a is not defined -%} x {%- endif -%}{% if messages and messages[0].role == 'user' and not "
       "(messages[0].content.startswith('x')) %}ok{% endif %}",
       "xok"},
  });
}

TEST(jinja, white_space) {
  expect_outputs({
      {"a\n  {%- if 1 %}\n b\n {%+ endif %}\n  {# c #}\n  x {# d #}\n{% raw %}\n {{ x }} {% endraw %}\nz\n",
       "a b\n   x \n {{ x }} z"},
      {"  {% if 1 %}  \n  a\n  {% endif %}\n  b", "  \n  a\n  b"},
      {"{{ 1 }}\n{{ 2 }}\n", "1\n2"},
      {"{{ 1 -}}\n {{- 2 }}\n\n", "12\n"},
      {"{% if 1 +%}\na{% endif %}\n", "\na"},
      {"a {#- c -#} b {# x #} c {#+ y +#} d", "ab  c  d"},
      {"a\n {#- c -#}\n b", "ab"},
      {"  {# x #}\n  {# y +#}\n  z", "\n  z"},
      {"{%- raw -%}   {{ x }}   {%- endraw -%}   y", "{{ x }}y"},
      {"a\r\nb\rc\r\n", "a\nb\nc"},
      {"\u00a0{% if 1 %}\u3000{% endif %}\u2003{%- if 1 %}x{%- endif -%}\u00a0", "\u3000x"},
      {"{% set x = 1 %}\n\n{% set y = 2 %}\n", "\n"},
      {"  {{ 1 }}  \n  {{- 2 }}", "  12"},
      {"{% raw %}\n{% if %}{% endraw %}\n  {% raw -%}\n  a {% endraw %}", "\n{% if %}a "},
      {"x{%+ if 1 %}\n  y\n  {%+ endif %}z", "x  y\n  z"},
      {"{% for i in [1,2] %}\n    {%- if i == 1 %}\n        one\n    {%- endif %}\n  {{ i }}\n{% endfor %}",
       "        one  1\n  2\n"},
  });
}
}  // namespace
}  // namespace specthink
