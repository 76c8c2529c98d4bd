// Filters, tests, methods and global functions. The outputs are those of the reference (jinja2 with the settings and
// filters of Hugging Face transformers).
#include <gtest/gtest.h>

#include "jinja/rendering.h"

namespace specthink::jinja {
namespace {

using testing_support::expect_outputs;

TEST(jinja_builtins, tests) {
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
      {"{{ 3 is eq 3 }}{{ 3 is ne 3 }}{{ 3 is gt 2 }}{{ 3 is lt 2 "
       "}}{{ 3 is ge 3 }}{{ 3 is le 3 }}{{ 'a' is equalto 'a' }}",
       "TrueFalseTrueFalseTrueTrueTrue"},
      {"{{ 1 is in [1] }} {{ 1 is not in [1] }} {{ 'a' is in 'abc' }}", "True False True"},
      {"{{ messages is iterable and messages is not mapping }}{{ messages is string }}{{ messages[0] is mapping }}",
       "TrueFalseTrue"},
  });
}

TEST(jinja_builtins, string_methods) {
  expect_outputs({
      {"{{ 'a b  c'.split() }}{{ 'a,b,c'.split(',') }}{{ 'a,b,c'.split(',',1) }}{{ ' a b c '.split(none,1) }}"
       "{{ 'a,b'.split(sep=',') }}{{ 'a,b,c'.split(',', maxsplit=1) }}",
       "['a', 'b', 'c']['a', 'b', 'c']['a', 'b,c']['a', 'b c ']['a', 'b']['a', 'b,c']"},
      {"{{ ''.split() }}{{ ''.split(',') }}{{ '  '.split() }}{{ 'a b'.split(none,0) }}", "[][''][]['a b']"},
      {R"({{ 'xxabcxx'.strip('x') }}{{ 'xxabcxx'.lstrip('x') }}{{ 'xxabcxx'.rstrip('x') }}|{{ '\u3000 a\u00a0'.strip() }}|{{ 'abc'.strip('') }}{{ 'éaé'.strip('é') }}{{ ' a '.strip(none) }})",
       "abcabcxxxxabc|a|abcaa"},
      {"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x','bc')) }}{{ 'abc'.startswith('') }}{{ 'a'.endswith('ab') }}",
       "TrueTrueTrueFalse"},
      {"{{ 'abc'.replace('b','X') }}{{ 'aaa'.replace('a','b',2) }}{{ 'abc'.replace('','-') }}{{ 'é'.replace('','-',1) "
       "}}{{ ''.replace('','x') }}",
       "aXcbba-a-b-c--éx"},
      {R"({{ 'hello wORLD'.title() }}{{ "it's a-b (c".title() }}{{ 'hELLO'.capitalize() }}{{ 'straße ŉ ﬁ'.upper() }}{{ 'ßa'.capitalize() }}{{ 'ΑΣ Σ'.lower() }}{{ 'İ'.lower()|length }}{{ 'ŉa ﬁ ǆ'.title() }}{{ 'ᾳ ᾀ'.upper() }})",
       "Hello WorldIt'S A-B (CHelloSTRASSE ʼN FISsaας σ2ʼNa Fi ǅΑΙ ἈΙ"},
  });
}

TEST(jinja_builtins, filters_on_values) {
  expect_outputs({
      {"{{ 'x'|default('y') }}{{ u|d('y') }}{{ ''|default('y',true) }}{{ none|default('y') }}{{ "
       "none|default('y',boolean=true) }}{{ u|default }}",
       "xyyNoney"},
      {"{{ '  a '|trim }}|{{ 'xax'|trim('x') }}{{ 5|trim }}{{ none|upper }}{{ 5|upper }}{{ 5|replace('5',6) }}{{ "
       "true|lower }}{{ 'aaa'|replace('a','b',2) }}",
       "a|a5NONE56truebba"},
      {R"({{ 'hello wORLD'|title }}{{ "it's a-b (c"|title }}{{ 'hELLO'|capitalize }}{{ 'a'|safe }}{{ [1,2]|string }}{{ 1.0|string }})",
       "Hello WorldIt's A-B (CHelloa[1, 2]1.0"},
      {"{{ '3'|int }}{{ '3.7'|int }}{{ 'x'|int }}{{ 'x'|int(5) }}{{ '0x1f'|int }}{{ "
       "3.9|int }}{{ -3.9|int }}{{ true|int }}{{ none|int }}{{ [1]|int(7) }}{{ ' 12 '|int }}{{ '-5'|int "
       "}}{{ '1e3'|int }}{{ 'inf'|int }}{{ '-+5'|int }}{{ ''|int }}{{ '+7'|int }}{{ '1.'|int }}{{ '.5'|int }}",
       "330503-310712-51000000710"},
      {R"({{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2,true) }}|{{ 'a\n\nb'|indent(2,blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\n'|indent }}|{{ ''|indent(first=true) }})",
       "a\n    b\n\n    c|  a\n  b\n\n  c|a\n  \n  b|a\n> b|a\n|    "},
      {R"({{ "a"|upper|lower ~ "b"|upper }}{{ ("a" ~ "b")|upper }}{{ "a" + "b"|upper }})", "aBABaB"},
  });
}

TEST(jinja_builtins, filters_on_sequences) {
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
      {"{{ [{'a':2,'b':1},{'a':1,'b':2}]|sort(attribute='a') }}", "[{'a': 1, 'b': 2}, {'a': 2, 'b': 1}]"},
      {"{{ {'b':1,'A':2}|dictsort }} {{ {'b':1}|items|list }}", "[('A', 2), ('b', 1)] [('b', 1)]"},
      {"{{ [1,1,2,'a','A']|unique|list }} {{ 'abc'|reverse }} {{ [1,2]|reverse|list }} {{ [3,1]|min }} "
       "{{ ['b','A']|max }} {{ []|min }}",
       "[1, 2, 'a'] cba [2, 1] 1 b "},
      {"{{ [1,'a']|select('string')|list }}{{ [1,'a']|reject('string')|list }}{{ [0,1,'']|select|list }}{{ "
       "[1,5]|select('>',2)|list }}{{ [1,5]|select('in',[5])|list }}",
       "['a'][1][1][5][5]"},
      {"{{ messages|selectattr('role','equalto','user')|list|length }}{{ "
       "messages|rejectattr('role','equalto','user')|list }}{{ messages|selectattr('x')|list }}{{ "
       "messages|selectattr('role')|map(attribute='content')|join }}",
       "1[][]hi"},
      {"{{ messages|map(attribute='role')|list }}{{ "
       "['a','b']|map('upper')|list }}{{ ['a']|map('replace','a','b')|list }}{{ [[1,2]]|map('first')|list }}{{ "
       "[{'a':{'b':1}}]|map(attribute='a.b')|list }}{{ [[5,6]]|map(attribute=1)|list }}",
       "['user']['A', 'B']['b'][1][1][6]"},
      {"{% set g = [1,2,3]|reject('eq',2) %}{{ g|list }}{{ g|list }}{% if g %}T{% endif %}{{ g|first is defined }}",
       "[1, 3][]TFalse"},
      {"{{ u|length }}{{u|list}}{{ u|join "
       "}}{{u|upper}}{{u|trim}}{{u|first}}{{u|last}}{{u|string}}{{u|items|list}}{{u|sort}}{{u|map('upper')|list}}{{u|"
       "selectattr('x')|list}}{{u|min}}",
       "0[][][][][]"},
      {"{{ none|select|list }}{{ none|reject('string')|list }}{{ false|map('upper')|list }}{{ 0|selectattr('x')|list "
       "}}{% for t in none|selectattr('type', 'equalto', 'f') %}x{% else %}none{% endfor %}",
       "[][][][]none"},
      {"{{ none|select('fancy')|list }}{{ none|rejectattr|list }}{{ ''|map('fancy')|list }}", "[][][]"},
  });
}

TEST(jinja_builtins, tojson) {
  expect_outputs({
      {R"({{ {'a':1,'b':[1,2,{'c':none}],'d':1.5,'e':'x\n"'} | tojson }}{{ [[]]|tojson }}{{ {}|tojson }}{{ (1,2)|tojson }}{{ 1e16|tojson }}{{ true|tojson }})",
       R"({"a": 1, "b": [1, 2, {"c": null}], "d": 1.5, "e": "x\n\""}[[]]{}[1, 2]1e+16true)"},
      {R"({{ 'é\u2028\x7f\x01"\\/<&\'' |tojson }}{{ 'é😀\x7f"\\/' |tojson(ensure_ascii=true) }})",
       "\"é\u2028\177\\u0001\\\"\\\\/<&'\"\"\\u00e9\\ud83d\\ude00\\u007f\\\"\\\\/\""},
      {"{{ [1,{'a':[2,'x'],'b':{}, 'c':[]}]|tojson(indent=2) }}{{ {'b':1,'a':2}|tojson(separators=(',',':')) }}{{ "
       "[1,2]|tojson(indent=0) }}",
       "[\n  1,\n  {\n    \"a\": [\n      2,\n      \"x\"\n    ],\n    \"b\": {},\n    \"c\": []\n  "
       "}\n]{\"b\":1,\"a\":2}[\n1,\n2\n]"},
      {"{{ [1,{'a':1}]|tojson(indent='--') }}{{ [1]|tojson(4) }}{{ {1:2,none:3,1.5:2,false:1}|tojson }}",
       "[\n--1,\n--{\n----\"a\": 1\n--}\n][1]{\"1\": 2, \"null\": 3, \"1.5\": 2, \"false\": 1}"},
  });
}

}  // namespace
}  // namespace specthink::jinja
