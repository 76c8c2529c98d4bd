#!/usr/bin/env python3
"""Writes reference_cases.jsonl: templates and what transformers renders of them; null where it raises an exception.

pip install transformers jinja2. The variables are in the first line.
"""

import copy
import itertools
import json
import random
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = Path(__file__).parent
VARIABLES = {
    "messages": [{"role": "user", "content": "hi"},
                 {"role": "assistant", "content": "Hello <b>\"x\"</b> \u00e9\n l2", "calls": [{"name": "f", "args": {"a": 1, "b": [1, 2.5, None, True]}}]}],
    "x": 7, "y": -3, "f": 2.5, "s": "The quick brown_Fox, jumps", "e": "", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "C": 0},
    "nested": [[1, 2], [3, 4]], "none": None, "t": True, "sp": "  a  b c  ", "u": "\u00c4\u00d6 \u00df \u00ff \u4e2d\u6587",
    "people": [{"name": "Bob", "age": 3, "city": "X"}, {"name": "amy", "age": 1, "city": "Y"}, {"name": "Cy", "age": 3, "city": "X"}],
}
NUMBERS = ["7", "-7", "3", "2.5", "-2.5", "0.1", "x", "y", "f", "true"]
FORMATS = [
    ("%s", ["'a'", "[1, 2]", "{'a': 1}", "none", "f", "(1, 2)", "('a',)", "true", "missing"]), ("%d", ["x", "f", "true", "'a'", "none", "(3,)"]),
    ("%5.1f|%-6d|%+d|%06.2f", ["(3.14159, 42, 7, -2.5)"]), ("%x %X %#x %o %#o", ["(255, 255, 255, 8, 8)"]), ("%c%c", ["('a', 98)"]),
    ("%*d", ["(5, 3)", "(-5, 3)"]), ("%r", ["('a',)", "['x']"]), ("%.2s", ["('h\u00e9llo',)"]), ("%e", ["12345.678"]),
    ("%g", ["0.0000001", "123456789", "100000.0", "1000000.0"]), ("%05d|%-5d|", ["(y, y)"]), ("% d", ["x"]), ("%(a)s-%(C)03d", ["d"]),
    ("%(zz)s", ["d"]), ("%(a)s", ["[1]"]), ("no", ["x", "[1]", "d", "()", "''"]), ("%%", ["()"]), ("%", ["1"]), ("%s %s", ["(1,)", "[1, 2]", "(1, 2, 3)"]),
    ("%5s|%-5s|", ["('\u00e9', '\u00e9')"]), ("%.3d", ["5"]), ("%y", ["5"]), ("%x", ["-255"]), ("%.0f", ["2.5", "3.5", "0.5"]), ("%3d%%", ["50"])]
SEQUENCES = ["l", "d", "s", "nested", "people", "e", "[]", "none", "x", "(1, 2)", "['b', 'A', 'a']"]
FILTERS = ["first", "last", "length", "list", "reverse | list", "sort | list", "unique | list", "max", "min", "sum", "join", "join('-')", "map('upper') | list",
           "select | list", "select('odd') | list", "tojson", "string", "items | list", "dictsort", "upper", "title", "e", "default('z', true)"]
CONVERSIONS = ["int", "float", "abs", "round", "int(5)", "float(1.5)", "int(base=16)", "int(0, 0)"]
CONVERTED = ["x", "y", "f", "' 12 '", "'1.9'", "'abc'", "'1e3'", "none", "true", "'0x1A'", "'1_000'", "'inf'", "'nan'", "''", "[1]", "missing"]
METHODS = ["rsplit()", "rsplit(' ', 1)", "rsplit(none, 1)", "split(' ', 1)", "split(none, 1)", "find('b')", "find('b', 3)", "find('b', -6)", "rfind('u')", "index('zz')",
           "count('u')", "count('')", "partition(' ')", "rpartition(' ')", "partition('zz')", "rpartition('zz')", "splitlines()", "removeprefix('The')",
           "removesuffix('mps')", "zfill(12)", "isdigit()", "isalpha()", "isalnum()", "isspace()", "islower()", "isupper()", "startswith('q', 4)",
           "startswith(('T', 'q'))", "endswith('k', 0, 9)", "join(['a', 'b'])", "join('ab')", "join([1])", "join(d)", "find('')", "rfind('')"]
TESTS = ["odd", "even", "divisibleby(3)", "lower", "upper", "callable", "sameas none", "in l", "not odd", "mapping", "iterable", "sequence", "number"]
TESTED = ["x", "y", "0", "f", "'a'", "'A'", "''", "none", "missing", "d", "true", "[]"]
OTHERS = [
    "{{ 1 // 0 }}", "{{ 1.0 / 0 }}", "{{ 1 % 0 }}", "{{ 2 ** 3 ** 2 }}", "{{ -2 ** 2 }}", "{{ 2 ** -1 }}", "{{ +x }}", "{{ +'a' }}", "{{ 1 ~ 2 // 2 ~ 'a' }}", "{{ 10 - 2 // 3 * 4 }}",
    "{{ [1, 2] * 2 }}{{ 2 * (1, 2) }}", "{{ [1, 2] < [1, 3] }}{{ (1,) < (1, 0) }}", "{{ [1] < (1,) }}", "{{ 0.1 + 0.2 }} {{ 5 / 5 }} {{ 1e15 * 10 }}",
    "{{ '%s-%s' | format(1, 'b') }}", "{{ '%(k)s' | format(k=3) }}", "{{ 'x' | format(1) }}", "{{ 2.675 | round(2) }} {{ 42 | round }} {{ 1.25 | round(1, 'ceil') }}",
    "{{ people | sort(attribute='age,name') | map(attribute='name') | list }}", "{{ people | sum(attribute='age') }}{{ people | sum('age', 10) }}",
    "{{ people | map(attribute='zz', default='q') | join(',') }}", "{{ people | max(attribute='age') }}", "{{ people | unique(attribute='age') | map(attribute='name') | list }}",
    "{{ nested | map(attribute='1') | list }}", "{{ d | dictsort(by='value') }}{{ d | dictsort(true) }}{{ d | dictsort(reverse=true) }}", "{{ d | tojson(sort_keys=true) }}",
    "{{ l.count(1) }}{{ l.index(2) }}{{ l.copy() }}{{ d.copy() }}", "{{ l.index(9) }}", "{{ 'a\\nb\\r\\n'.splitlines(true) }}", "{{ 'upper' is filter }}{{ 'zz' is test }}",
    "{% filter upper %}a {{ s }}{% endfilter %}!", "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}", "{% filter indent(2, true) %}\na\nb\n{% endfilter %}",
    "{% set z = 1 %}{% filter upper %}{% set z = 2 %}a{{ z }}{% endfilter %}{{ z }}", "{% filter %}a{% endfilter %}", "{% filter length %}abc{% endfilter %}",
    "{% for i in l %}{% filter upper %}a{{ i }}{% if i == 1 %}{% break %}{% endif %}{% endfilter %}{% endfor %}", "{%- filter upper -%}  y  {%- endfilter -%} z",
    "{% macro m(a) %}[{{ a }}:{{ caller() }}]{% endmacro %}{% call m(1) %}body{% endcall %}", "{% macro m() %}{{ caller('x', 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}-{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller(b=5) }}{% endmacro %}{% call(a=1, b=2) m() %}{{ a }}-{{ b }}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}b{% endcall %}",
    "{% macro m() %}{{ caller() if caller else 'none' }}{% endmacro %}{{ m() }}{% call m() %}b{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(3) }}", "{% macro m() %}<{{ caller() }}>{% endmacro %}{% macro o() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call o() %}x{% endcall %}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% for i in l %}{% call m() %}{{ i }}{{ loop.index }}{% endcall %}{% endfor %}", "{% call x %}a{% endcall %}", "{% call range(3) %}a{% endcall %}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}|{{ m(1, 2, 3, 4) }}|{{ m(1, z=5) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}{{ m(1, *[2]) }}{{ m(*[1], b=7) }}", "{% macro m(a) %}{{ m.name }}{% endmacro %}{{ m(1) }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a, b = (1, 2) %}{{ a }}{% endwith %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}", "{% set q | trim | replace('a', 'b') %}  a {% endset %}{{ q }}|", "{% set (a, (b, c)) = (1, (2, 3)) %}{{ a }}{{ b }}{{ c }}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in nested %}{{ a }}{{ b }}{% endfor %}", "{% set a, = [1] %}{{ a }}", "{% for a, b in l %}{% endfor %}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{{ dict([('a', 1)]) }}{{ dict({'a': 1}, b=2) }}", "{{ dict(5) }}", "{{ dict([1]) }}", "{{ 'a<b>&\"\\'' | e }}",
    "{% generation %}g{% endgeneration %}", "{{ messages[1] | tojson }}", "{{ messages[1].calls[0].args.items() | list }}", "{{ x if x > 100 }}", "{{ l | map('string') | map('length') | list }}",
]


def expressions(rng):
    atoms = ["x", "y", "f", "s", "l", "d", "none", "t", "'a'", "3", "[1, 2]", "messages[0]", "missing", "2.0"]
    operators = ["+", "-", "*", "//", "/", "%", "~", "==", "<", "and", "or", "in", "not in", "!="]
    filters = ["string", "length", "list", "int", "float", "tojson", "upper", "first", "default('q')", "abs", "round(1)", "join"]
    while True:
        text = rng.choice(atoms)
        for _ in range(rng.randint(1, 3)):
            text = f"{text} {rng.choice(operators)} {rng.choice(atoms)}"
            if rng.random() < 0.3:
                text = f"({text})"
        yield "{{ (%s) | %s }}" % (text, rng.choice(filters)) if rng.random() < 0.4 else "{{ %s }}" % text


def templates():
    yield from OTHERS
    for operator, a, b in itertools.product(["//", "%", "/", "-", "**"], NUMBERS, NUMBERS):
        if operator != "**" or (b != "f" and "." not in b):  # complex numbers
            yield f"{{{{ {a} {operator} {b} }}}}"
    for form, values in FORMATS:
        yield from (f"{{{{ '{form}' % {value} }}}}" for value in values)
    for values, suffixes, mark in [(CONVERTED, CONVERSIONS, " | "), (SEQUENCES, FILTERS, " | "), (["s", "sp", "e", "u", "'12'", "'a\\nb\\r\\nc\\n'"], METHODS, "."), (TESTED, TESTS, " is ")]:
        yield from (f"{{{{ {value}{mark}{suffix} }}}}" for value, suffix in itertools.product(values, suffixes))
    yield from itertools.islice(expressions(random.Random(1)), 200)


def render(template):
    try:
        return _compile_jinja_template(template).render(**copy.deepcopy(VARIABLES))
    except Exception:
        return None


def main():
    lines = [VARIABLES] + [[template, render(template)] for template in templates()]
    (HERE / "reference_cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{len(lines) - 1} templates, {sum(line[1] is None for line in lines[1:])} that fail")


if __name__ == "__main__":
    main()
