// Tags and white space. The outputs are those of the reference (jinja2 with the settings and
// filters of Hugging Face transformers).
#include <gtest/gtest.h>

#include "jinja/rendering.h"

namespace specthink::jinja {
namespace {

using testing_support::expect_outputs;

TEST(jinja_statements, loops) {
  expect_outputs({
      {"{% for c in 'aé' %}{{loop.index}}{{c}}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.revindex }}{{ "
       "loop.revindex0 }}{{ loop.length }}{{ loop.first }}{{ loop.last }}|{% "
       "endfor %}",
       "1aé212TrueFalse|2éa102FalseTrue|"},
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
      {"{% for a, b in [(1,2), 'xy'] %}{{a}}{{b}}{% endfor %}", "12xy"},
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

TEST(jinja_statements, scopes) {
  expect_outputs({
      {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{x}}{% endfor %}{{x}}{% if 1 %}{% set x = 3 %}{% endif "
       "%}{{x}}",
       "213"},
      {"{% for i in [1,2] %}{% if loop.first %}{% set z = 5 %}{% endif %}{{ z }}|{% endfor %}{{ z }}{{ i }}", "5||"},
      {"{% set x %}{% set y=1 %}a{% endset %}{{y}}{{x}}", "a"},
      {"{% set a,b='xy' %}{{a}}{{b}}", "xy"},
      {"{% set ns = namespace(x=1) %}{{ns.y}}{{ns['x']}}{% set ns.x = ns.x + 1 %}{{ ns.x }}{% set ns.q, z = 4, 5 "
       "%}{{ns.q}}{{z}}",
       "1245"},
      {"{% set ns = namespace() %}{% for i in [1,2,3] %}{% set ns.last = i %}{% endfor %}{{ ns.last }}{{ ns is mapping "
       "}}{% set ns = namespace(a=1, b=2) %}{{ ns.a }}{{ ns.b }}",
       "3False12"},
      {"{% set a=1 %}{% generation %}{% set a=2 %}{{a}}{% endgeneration %}{{a}}", "21"},
      {"{{ dict(a=1, b=2) }}{% set messages = messages[1:] %}{{ messages "
       "}}",
       "{'a': 1, 'b': 2}[]"},
  });
}

TEST(jinja_statements, macros) {
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

TEST(jinja_statements, branches) {
  expect_outputs({
      {"{% if 0 %}a{% elif 1 %}b{% elif 1 %}c{% else %}d{% endif %}{% if 0 %}a{% else %}d{% endif %}{% if 1: %}x{% "
       "endif %}{% if 1, %}x{% endif %}{% if () %}y{% endif %}",
       "bdxx"},
      {"{%- if a is not defined -%} x {%- endif -%}{% if messages and messages[0].role == 'user' and not "
       "(messages[0].content.startswith('x')) %}ok{% endif %}",
       "xok"},
  });
}

TEST(jinja_statements, white_space) {
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
}  // namespace specthink::jinja
