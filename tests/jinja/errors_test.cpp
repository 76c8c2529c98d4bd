// Templates that are wrong, not supported, or without end.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "jinja/rendering.h"

namespace specthink::jinja {
namespace {

using testing_support::one_message;
using testing_support::render;

struct Case {
  std::string source;
  std::string error;  // "line: message", or how it begins
};

enum class When { kParsing, kRendering };

void expect_errors(When when, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const std::string shown = c.source.substr(0, 200);
    bool parsed = false;
    try {
      const Template parsed_template(c.source);
      parsed = true;
      const std::string output = parsed_template.render(one_message());
      ADD_FAILURE() << shown << "\nexpected an error, got " << output.size() << " bytes: " << output.substr(0, 200);
    } catch (const TemplateError& error) {
      const std::string message = fmt::format("{}: {}", error.line(), error.what());
      EXPECT_EQ(message.substr(0, c.error.size()), c.error) << shown;
      EXPECT_EQ(parsed, when == When::kRendering) << shown;
    } catch (const std::exception& error) {
      ADD_FAILURE() << shown << "\nexpected a TemplateError, got: " << error.what();
    }
  }
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(jinja_errors, malformed_templates) {
  expect_errors(
      When::kParsing,
      {
          {"{{ foo bar }}", "1: expected '}}', found 'bar'"},
          {"{{ }}", "1: expected an expression, found '}}'"},
          {"a\n{{ 'abc }}", "2: a string has no end"},
          {"{{ 1", "1: unexpected end of the template: expected '}}'"},
          {"{{ (1", "1: unexpected end of the template: expected ')'"},
          {"{{ (1 }}", "1: unexpected '}', expected ')'"},
          {"{{ 1) }}", "1: unexpected ')'"},
          {"{{ [1,,2] }}", "1: expected an expression, found ','"},
          {"{{ {1} }}", "1: expected ':', found '}'"},
          {"{{ a. }}", "1: expected a name after '.', found '}}'"},
          {"{{ a[] }}", "1: expected an index, found ']'"},
          {"{{ $ }}", "1: unexpected character '$'"},
          {"{{ é }}", "1: unexpected character 'é'"},
          {"{{ 1 ! 2 }}", "1: unexpected character '!'"},
          {"{{ 007 }}", "1: the number 007 starts with a zero"},
          {"{{ 9223372036854775808 }}", "1: the number 9223372036854775808 is too large"},
          {"{{ '\\u12' }}", "1: an escape in a string needs 4 hexadecimal digits"},
          {"{{ '\\ud800' }}", "1: an escape in a string names no character: U+D800"},
          {"{# abc", "1: a comment has no end"},
          {"{% raw %}\n\n", "1: 'raw' has no end"},
          {"{% if %}{% endif %}", "1: expected an expression, found '%}'"},
          {"{% if 1 %}\n\n", "2: unexpected end of the template: expected {% endif %}"},
          {"{% if 1 %}{% else %}{% elif 2 %}{% endif %}", "1: unknown or misplaced tag 'elif'"},
          {"{% for x in [1] %}\na", "2: unexpected end of the template: expected {% endfor %}"},
          {"{% for x y %}{% endfor %}", "1: expected 'in', found 'y'"},
          {"{% for 1 in [1] %}{% endfor %}", "1: expected a name to assign to, found '1'"},
          {"{% for loop in [1] %}{% endfor %}", "1: a loop cannot assign to 'loop'"},
          {"{% set true = 1 %}", "1: cannot assign to 'true'"},
          {"{% set x = %}", "1: expected an expression, found '%}'"},
          {"{% set x = 1", "1: unexpected end of the template: expected '%}'"},
          {"{% macro f(a=1, b) %}{% endmacro %}", "1: the parameter 'b' without a default"},
          {"{% macro %}{% endmacro %}", "1: expected the name of the macro, found '%}'"},
          {"\n{% endif %}", "2: unknown or misplaced tag 'endif'"},
          {"{% %}", "1: expected the name of a tag, found '%}'"},
          {"{% foo %}", "1: unknown or misplaced tag 'foo'"},
          {"{{ f(a=1, 2) }}", "1: an argument without a name follows"},
          {"{{ x is defined is string is }}", "1: tests cannot be chained"},
          {"{{ x | }}", "1: expected a name, found '}}'"},
          {"{% break %}", "1: 'break' outside a loop"},
          {"{% for x in [1] %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}", "1: 'continue' outside a loop"},
          {"{% for x in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "1: 'break' outside a loop"},
      });
}

TEST(jinja_errors, unsupported_tags_in_a_branch_that_is_not_taken) {
  for (const char* body :
       {"{% autoescape true %}x{% endautoescape %}", "{% block b %}x{% endblock b %}", "{% include 'x' %}"}) {
    const std::string text = std::string("{% if u %}") + body + "{% endif %}y";
    EXPECT_EQ(Template(text).render({}), "y") << body;
    EXPECT_THROW(Template(text).render({{"u", true}}), TemplateError) << body;
  }
}

TEST(jinja_errors, unsupported_constructs) {
  expect_errors(When::kParsing, {
                                    {"a\n{% include 'x' %}", "2: the tag 'include' is not supported"},
                                    {"{% extends 'x' %}", "1: the tag 'extends' is not supported"},
                                    {"{% for x in y recursive %}{% endfor %}", "1: recursive loops are not supported"},
                                    {"{{ x | wordcount }}", "1: the filter 'wordcount' is not supported"},
                                    {"{{ x |\nurlize }}", "2: the filter 'urlize' is not supported"},
                                    {"{{ x | nofilter }}", "1: there is no filter 'nofilter'"},
                                    {"{{ x is escaped }}", "1: the test 'escaped' is not supported"},
                                    {"{{ 1e999 }}", "1: a float is too large or too small"},
                                    {"{{ 0x1f }}", "1: the number 0x... is not supported: only decimal digits are"},
                                    {"{{ 1_000 }}", "1: the number 1_... is not supported: only decimal digits are"},
                                    {"{{ '\\N{BULLET}' }}", "1: the escape \\N in a string is not supported"},
                                    {"{{ '\\101' }}", "1: the escape \\1 in a string is not supported"},
                                    {"{{ x is nothing }}", "1: there is no test 'nothing'"},
                                    {"{{ x[1, 2] }}", "1: an index of several parts is not supported"},
                                });
  expect_errors(
      When::kRendering,
      {
          {"{{ 'a'.format(1) }}", "1: the method 'format' is not supported"},
          {"{{ ['a'] | map('pprint') | list }}", "1: map: the filter 'pprint' is not supported"},
          {"{{ [1] | select('escaped') | list }}", "1: select: the test 'escaped' is not supported"},
          {"{{ (-8) ** 0.5 }}", "1: complex numbers are not supported"},
          {"{{ '%a' % 'x' }}", "1: the format '%a' is not supported"},
          {"{{ messages.index(1, 2) }}", "1: the parameter 'start' of 'index' is not supported"},
          {"{{ 1 | round(-1) }}", "1: round: a precision of -1 is not supported"},
          {"{{ cycler(1) }}", "1: the function 'cycler' is not supported"},
          {"{{ strftime_now('%H.%f') }}", "1: strftime_now: the format '%f' is not supported"},
          {"{% for x in [1] %}{{ loop.cycle(1, 2) }}{% endfor %}", "1: loop.cycle is not supported"},
          {"{% for x in [1] %}{{ loop.changed(x) }}{% endfor %}", "1: loop.changed is not supported"},
          {"{{ range(3) }}", "1: a range cannot be printed; make it a list first (|list)"},
          {"{{ [1] | map('string') }}", "1: a generator cannot be printed; make it a list first (|list)"},
          {"{{ 'a'.upper }}", "1: a builtin_function_or_method cannot be printed; is a pair of parentheses missing?"},
      });
}

// As in the reference, what a condition keeps from being reached is no error.
TEST(jinja_errors, unsupported_constructs_behind_conditions) {
  EXPECT_EQ(render("{% if u %}{{ u|from_json }}{% elif u and u is fancy %}{% include 'x' %}{% endif %}a"), "a");
  EXPECT_EQ(render("{{ (u|from_json) if u else 'a' }}{{ 'b' if not u else u|urlize }}"), "ab");
  expect_errors(When::kRendering,
                {
                    {"{% if 1 %}\n{{ u|from_json }}{% endif %}", "2: there is no filter 'from_json'"},
                    {"{% if 1 %}{% include 'x' %}{% endif %}", "1: the tag 'include' is not supported"},
                    {"{{ (1 is escaped) if 1 }}", "1: the test 'escaped' is not supported"},
                });
  expect_errors(When::kParsing, {
                                    {"{{ 1 if 1 }}{{ [1|nofilter] }}", "1: there is no filter 'nofilter'"},
                                    {"{% for x in y|nofilter %}{% endfor %}", "1: there is no filter 'nofilter'"},
                                });
}

TEST(jinja_errors, errors_of_rendering) {
  expect_errors(
      When::kRendering,
      {
          {"{{ u.x }}", "1: 'u' is undefined"},
          {"{{\n  messages[0].x.y }}", "2: 'dict object' has no attribute 'x'"},
          {"{{ messages[5].role }}", "1: list object has no element 5"},
          {"{{ none.x.y }}", "1: 'None' has no attribute 'x'"},
          {"{{ 'a'.foo() }}", "1: 'str object' has no attribute 'foo'"},
          {"{{ u() }}", "1: 'u' is undefined"},
          {"{{ 3() }}", "1: 'int' object is not callable"},
          {"{{ u + 1 }}", "1: 'u' is undefined"},
          {"{{ 'a' + u }}", "1: 'u' is undefined"},
          {"{{ 'a' + 1 }}", "1: unsupported operand type(s) for +: 'str' and 'int'"},
          {"{{ 'a' + none }}", "1: unsupported operand type(s) for +: 'str' and 'NoneType'"},
          {"{{ 1 + 'a' }}", "1: unsupported operand type(s) for +: 'int' and 'str'"},
          {"{{ 1 < 'a' }}", "1: '<' not supported between instances of 'int' and 'str'"},
          {"{{ 1 in 'abc' }}", "1: 'in <string>' requires string as left operand, not int"},
          {"{{ 1 in 5 }}", "1: 'int' object is not iterable"},
          {"{{ 'x' in none }}", "1: 'NoneType' object is not iterable"},
          {"{{ 1 % 0 }}", "1: division by zero"},
          {"{{ 1.5 // 0 }}", "1: division by zero"},
          {"{{ 3 ** 40 }}", "1: the result is too large for a 64-bit integer"},
          {"{{ '%d' % 'a' }}", "1: %d format: a number is required, not str"},
          {"{{ '%s %s' % 'a' }}", "1: not enough arguments for format string"},
          {"{{ '%99999999s' % 'a' }}", "1: the template makes a text of more than 64 MiB"},
          {"{{ '%*d' % (-9223372036854775807 - 1, 1) }}", "1: the template makes a text of more than 64 MiB"},
          {"{{ '%(a)s' % {} }}", "1: there is no key 'a' for the format"},
          {"{{ [1] * 999999999 }}", "1: the template does too much work (an endless loop, or texts that grow?)"},
          {"{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "1: No caller defined"},
          {"{{ 9223372036854775807 + 1 }}", "1: the result is too large for a 64-bit integer"},
          {"{{ 4294967296 * 4294967296 }}", "1: the result is too large for a 64-bit integer"},
          {"{{ -(-9223372036854775807 - 1) }}", "1: the result is too large for a 64-bit integer"},
          {"{{ - 'a' }}", "1: bad operand type for unary -: 'str'"},
          {"{% for x in none %}{% endfor %}", "1: 'NoneType' object is not iterable"},
          {"{% for a, b in [(1, 2, 3)] %}{% endfor %}", "1: 2 values to unpack, found 3"},
          {"{% set x = messages[0].content['a':] %}", "1: slice indices must be integers or None, not str"},
          {"{{ 'abc'[::0] }}", "1: slice step cannot be zero"},
          {"{{ messages[0][1:] }}", "1: 'dict' object cannot be sliced"},
          {"{{ {[1]: 2} }}", "1: a list cannot be a key of a dict"},
          {"{{ {}.pop('a') }}", "1: access to attribute 'pop' of 'dict' object is unsafe"},
          {"{{ messages.append(1) }}", "1: access to attribute 'append' of 'list' object is unsafe"},
          {"{% set x = {} %}{% set x.y = 1 %}", "1: cannot assign to an attribute of 'x': it is no namespace"},
          {"{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
           "1: a namespace cannot have the attribute '__class__'"},
          {"{{ u | tojson }}", "1: tojson: object of type Undefined is not JSON serializable"},
          {"{{ range(100001) }}", "1: range: more than 100000 numbers"},
          {"{{ range(1, 2, 0) }}", "1: range: the step must not be zero"},
          {"{{ 'abc'.split('') }}", "1: split: empty separator"},
          {"{{ 'a'.replace('a') }}", "1: 'replace' needs the argument 'new'"},
          {"{{ 'a'.upper(1) }}", "1: 'upper' takes at most 0 arguments, 1 given"},
          {"{{ 'a' | trim(x=1) }}", "1: 'trim' has no parameter 'x'"},
          {"{{ ['a'] | map('nofilter') }}", "1: map: there is no filter 'nofilter'"},
          {"{{ ['a'] | select('notest') }}", "1: select: there is no test 'notest'"},
          {"{{ [1, 'a'] | sort }}", "1: '<' not supported between instances of"},
          {"{{ none | length }}", "1: object of type 'NoneType' has no len()"},
          {"{{ raise_exception() }}", "1: 'raise_exception' needs the argument 'message'"},
          {"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "1: macro 'f' takes not more than 1 arguments, 2 given"},
          {"{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "1: macro 'f' has no parameter 'b'"},
          {"{% macro f(a) %}{% endmacro %}{{ f(1, a=2) }}", "1: macro 'f' was given 'a' twice"},
          {"{% macro f(a) %}\n{{ a.b }}{% endmacro %}\n{{ f() }}", "2: parameter 'a' was not provided"},
          {"{% macro f(a) %}\n{{ a }}{% endmacro %}\n{{ f(1) + 1 }}",
           "3: unsupported operand type(s) for +: 'str' and 'int'"},
          {"{{ (1 if false).x }}", "1: the condition of 'x if y' was false, and there is no 'else'"},
      });
}

TEST(jinja_errors, runaway_templates) {
  const std::string work = "1: the template does too much work";
  const std::string text = "1: the template makes a text of more than 64 MiB";
  expect_errors(
      When::kRendering,
      {
          {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "1: nested deeper than 1000 levels"},
          {"{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{% if 1 %}{{ f() }}{% endif %}{% endmacro %}{{ f() }}",
           "1: nested deeper than 1000 levels"},
          {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", work},
          {"{% for a in range(100000) %}{% for b in range(100000) %}{{ 'abcdefgh' * 100 }}{% endfor %}{% endfor %}",
           text},
          {"{% set ns = namespace(x='ab') %}{% for a in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", text},
          {"{% set ns = namespace(x='ab') %}{% for a in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", text},
          {"{% set ns = namespace(x=[1]) %}{% for a in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", work},
          {"{% set ns = namespace(x=[1]) %}{% for a in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
           "1: values are nested deeper than 400 levels"},
          {"{% set ns = namespace(x=1) %}{% for a in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
           work},
          {"{% set ns = namespace(x=1) %}{% for a in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
           "{{ ns.x | tojson }}",
           work},
          {"{% set ns = namespace(x=1, y=1) %}{% for a in range(100) %}{% set ns.x = [ns.x, ns.x] %}"
           "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
           work},
          {"{% for a in range(1000) %}{% for b in 'x' * 10000000 %}{% break %}{% endfor %}{% endfor %}", work},
          {"{{ 12 ** 6 * ('x', 3, 2.5) }}", work},
          {"{{ 'ab' * 1000000000000 }}", text},
          {"{{ 'ab' * 9223372036854775807 }}", text},
          {"{{ 'a' | indent(1000000000000) }}", text},
          {"{{ [1] | tojson(indent=1000000000000) }}", text},
          {"{{ ('a' * 1000000).replace('a', 'b' * 1000) }}", text},
          {"{{ range(100000) | join('x' * 1000) }}", text},
      });
}

std::string nested(const std::string& before, const std::string& inside, const std::string& after) {
  constexpr int kLevels = 100000;
  return repeated(before, kLevels) + inside + repeated(after, kLevels);
}

TEST(jinja_errors, deeply_nested_sources) {
  const std::string deep = "1: nested deeper than 100 levels";
  const std::string much = std::string(std::size_t{5} << 20, ' ');
  expect_errors(When::kParsing, {
                                    {"{{ " + nested("(", "1", ")") + " }}", deep},
                                    {"{{ " + nested("[", "1", "]") + " }}", deep},
                                    {"{{ " + nested("{1:", "1", "}") + " }}", deep},
                                    {"{{ " + nested("not ", "1", "") + " }}", deep},
                                    {"{{ " + nested("-", "1", "") + " }}", deep},
                                    {"{{ " + nested("f(", "1", ")") + " }}", deep},
                                    {"{{ " + nested("x[", "1", "]") + " }}", deep},
                                    {"{{ " + nested("x|d(", "1", ")") + " }}", deep},
                                    {"{{ " + nested("1 is in [", "1", "]") + " }}", deep},
                                    {"{{ " + nested("1 if 1 else ", "1", "") + " }}", deep},
                                    {"{{ 1" + nested(" if 1", "", "") + " }}", "1: more than 20 'if' in a row"},
                                    {nested("{% if 1 %}", "", "{% endif %}"), deep},
                                    {nested("{% for x in y %}", "", "{% endfor %}"), deep},
                                    {nested("{% macro f() %}", "", "{% endmacro %}"), deep},
                                    {much, "1: the template is larger than 4 MiB"},
                                });
}

TEST(jinja_errors, long_chains_are_no_nesting) {
  EXPECT_EQ(render("{{ 1" + repeated(" + 1", 5000) + " }}"), "5001");
  EXPECT_EQ(render("{{ 'a'" + repeated(" ~ 'a'", 5000) + " }}"), std::string(5001, 'a'));
  EXPECT_EQ(render("{{ true" + repeated(" and true", 5000) + " }}"), "True");
  EXPECT_EQ(render("{{ 'A'" + repeated("|lower", 5000) + " }}"), "a");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 5000) + "{% else %}x{% endif %}"), "x");
}

// Namespaces and macros can hold each other; leak checkers watch this.
TEST(jinja_errors, cycles) {
  const char* source =
      "{% set a = namespace() %}{% set b = namespace(a=a, list=[a]) %}{% set a.b = b %}{% set a.a = a %}"
      "{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}{% set a.m = m %}{% set a.loop = loop %}{% endfor %}"
      "{{ a.b.a.b.list[0].a.m() }}{{ a.loop.index }}";
  EXPECT_EQ(render(source), "11");
}

// Every prefix of a template, and every template with one character taken out, either works or is a TemplateError.
TEST(jinja_errors, mutilated_templates) {
  const std::string source =
      "{%- macro f(a, b='x') -%}{{ a ~ b }}{%- endmacro %}{% set ns = namespace(n=0) %}\n"
      "{%- for m in messages[::-1] if m.role != 'x' %}{# c #}{% if loop.first and not m.content is none %}"
      "{{- f(m.content | trim, b=m['role'][0:2]) + ('y' if ns.n > -1.5e3 else 'z') }}{% else %}{% break %}{% endif %}"
      "{% set ns.n = ns.n + 1 %}{% endfor %}{% raw %}{{ {% endraw %}{{ {'a': [1, (2,)]} | tojson(indent=1) }}\n";
  int worked = 0;
  const auto attempt = [&](const std::string& mutilated) {
    try {
      render(mutilated);
      ++worked;
    } catch (const TemplateError&) {
    }
  };
  for (std::size_t i = 0; i <= source.size(); ++i) {
    attempt(source.substr(0, i));
    attempt(source.substr(i));
    attempt(source.substr(0, i) + source.substr(std::min(i + 1, source.size())));
    for (const char c : {'{', '}', '%', '(', ']', '\'', '\\', '|', '.'}) {
      attempt(source.substr(0, i) + c + source.substr(i));
    }
  }
  EXPECT_GT(worked, 0);
}

}  // namespace
}  // namespace specthink::jinja
