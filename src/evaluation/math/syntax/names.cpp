#include "evaluation/math/syntax/names.h"

#include <unordered_map>
#include <unordered_set>

namespace specthink::inline evaluation {
namespace {

using Set = std::unordered_set<std::string_view>;
using Map = std::unordered_map<std::string_view, std::string_view>;

std::string_view look_up(const Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string_view() : found->second;
}

}  // namespace

bool is_function_name(std::string_view name) {
  static const Set names{"sin",    "cos",    "tan",    "cot",    "sec",  "csc",  "arcsin", "arccos", "arctan",
                         "arccot", "sinh",   "cosh",   "tanh",   "coth", "ln",   "log",    "lg",     "exp",
                         "abs",    "arcsec", "arccsc", "arsinh", "Re",   "Im",   "arg",    "det",    "gcd",
                         "lcm",    "max",    "min",    "sgn",    "asin", "acos", "atan"};
  return names.contains(name);
}

std::string_view command_of_word(std::string_view word) {
  static const Map map{{"sqrt", "sqrt"},      {"cbrt", "cbrt"},   {"pi", "pi"},       {"Pi", "pi"},
                       {"infinity", "infty"}, {"inf", "infty"},   {"infty", "infty"}, {"oo", "infty"},
                       {"theta", "theta"},    {"alpha", "alpha"}, {"beta", "beta"},   {"gamma", "gamma"},
                       {"lambda", "lambda"},  {"phi", "phi"},     {"omega", "omega"}, {"sigma", "sigma"},
                       {"mu", "mu"},          {"rho", "rho"},     {"delta", "delta"}, {"epsilon", "epsilon"},
                       {"times", "times"},    {"cdot", "cdot"},   {"union", "cup"},   {"emptyset", "emptyset"}};
  if (const std::string_view command = look_up(map, word); !command.empty()) return command;
  static const Set not_alone{"Re", "Im", "arg", "det", "max", "min", "sgn"};
  return is_function_name(word) && !not_alone.contains(word) ? word : std::string_view();
}

bool is_layout_command(std::string_view name) {
  static const Set names{"displaystyle", "textstyle",  "scriptstyle", "left",   "right",  "big",   "Big",
                         "bigg",         "Bigg",       "bigl",        "bigr",   "Bigl",   "Bigr",  "biggl",
                         "biggr",        "Biggl",      "Biggr",       "middle", "limits", "large", "Large",
                         "hline",        "nolimits",   "rm",          "bf",     "it",     "bm",    "boldsymbol",
                         "mathstrut",    "ensuremath", "huge",        "Huge",   "LARGE",  "small", "normalsize",
                         "mathop",       "mathrel",    "mathord"};
  return names.contains(name);
}

bool is_text_command(std::string_view name) {
  static const Set names{"text",   "mbox",       "textbf", "textit", "textrm", "texttt",
                         "textsf", "textnormal", "hbox",   "textsc", "emph",   "underline"};
  return names.contains(name);
}

bool is_font_command(std::string_view name) {
  static const Set names{"mathrm", "mathbf", "mathit", "mathsf", "mathtt", "operatorname", "mathcal", "mathfrak"};
  return names.contains(name);
}

bool is_space_command(std::string_view name) {
  static const Set names{"quad",     "qquad",      "enspace", "enskip",      "thinspace",
                         "medspace", "thickspace", "space",   "negthinspace"};
  return names.contains(name);
}

std::string_view canonical_command(std::string_view name) {
  static const Map map{{"dfrac", "frac"},
                       {"tfrac", "frac"},
                       {"cfrac", "frac"},
                       {"leq", "le"},
                       {"leqslant", "le"},
                       {"geq", "ge"},
                       {"geqslant", "ge"},
                       {"neq", "ne"},
                       {"dbinom", "binom"},
                       {"tbinom", "binom"},
                       {"varnothing", "emptyset"},
                       {"land", "wedge"},
                       {"lvert", "|"},
                       {"rvert", "|"},
                       {"vert", "|"},
                       {"ast", "*"},
                       {"mid", "|"},
                       {"colon", ":"},
                       {"R", "mathbb{R}"},
                       {"Z", "mathbb{Z}"},
                       {"N", "mathbb{N}"},
                       {"Q", "mathbb{Q}"},
                       {"lbrace", "{"},
                       {"rbrace", "}"},
                       {"lbrack", "["},
                       {"rbrack", "]"},
                       {"thickapprox", "approx"},
                       {"simeq", "approx"},
                       {"approxeq", "approx"},
                       {"sim", "approx"},
                       {"varphi", "phi"},
                       {"varepsilon", "epsilon"},
                       {"bigcup", "cup"},
                       {"lt", "<"},
                       {"gt", ">"},
                       {"vartheta", "theta"},
                       {"asin", "arcsin"},
                       {"acos", "arccos"},
                       {"atan", "arctan"},
                       {"setminus", "backslash"},
                       {"smallsetminus", "backslash"},
                       {"euro", ""},
                       {"pounds", ""},
                       {"ldots", "dots"},
                       {"cdots", "dots"},
                       {"infin", "infty"},
                       {"lceil", "lceil"}};
  const auto found = map.find(name);
  return found == map.end() ? name : found->second;
}

bool is_operator_command(std::string_view name) {
  static const Set names{"\\",       "}",       "rangle",   "rfloor", "rceil",      "le",         "ge",
                         "ne",       "in",      "approx",   "equiv",  "cup",        "cap",        "backslash",
                         "pm",       "mp",      "cdot",     "times",  "div",        "to",         "choose",
                         "implies",  "dots",    "pmod",     "bmod",   "Rightarrow", "rightarrow", "sum",
                         "int",      "prod",    "lim",      "oint",   "partial",    "nabla",      "substack",
                         "stackrel", "overset", "underset", "degree", "mapsto",     "underbrace", "overbrace",
                         "iff",      "mod",     "dagger",   "circ"};
  return names.contains(name) || name.starts_with("end{");
}

}  // namespace specthink::inline evaluation
