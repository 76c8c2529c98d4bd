#include "evaluation/math/syntax/unicode.h"

#include <optional>
#include <unordered_map>

#include "specthink/base/strings.h"
#include "specthink/base/utf8.h"

namespace specthink::inline evaluation {
namespace {

// Null for characters without a counterpart.
std::optional<std::string_view> latex_of(char32_t character) {
  static const std::unordered_map<char32_t, std::string_view> map{{0x2212, "-"},
                                                                  {0x2013, "-"},
                                                                  {0x2010, "-"},
                                                                  {0xFF0D, "-"},
                                                                  {0x00D7, "\\times "},
                                                                  {0x00B7, "\\cdot "},
                                                                  {0x22C5, "\\cdot "},
                                                                  {0x2217, "*"},
                                                                  {0x00F7, "\\div "},
                                                                  {0x2215, "/"},
                                                                  {0x2044, "/"},
                                                                  {0x221A, "\\sqrt "},
                                                                  {0x221B, "\\cbrt "},
                                                                  {0x03C0, "\\pi "},
                                                                  {0x221E, "\\infty "},
                                                                  {0x2264, "\\le "},
                                                                  {0x2265, "\\ge "},
                                                                  {0x2260, "\\ne "},
                                                                  {0x2248, "\\approx "},
                                                                  {0x222A, "\\cup "},
                                                                  {0x2229, "\\cap "},
                                                                  {0x2208, "\\in "},
                                                                  {0x00B1, "\\pm "},
                                                                  {0x2213, "\\mp "},
                                                                  {0x00B0, "\\degree "},
                                                                  {0x2205, "\\emptyset "},
                                                                  {0x00BD, "\\frac{1}{2}"},
                                                                  {0x00BC, "\\frac{1}{4}"},
                                                                  {0x00BE, "\\frac{3}{4}"},
                                                                  {0x2153, "\\frac{1}{3}"},
                                                                  {0x2154, "\\frac{2}{3}"},
                                                                  {0x03B8, "\\theta "},
                                                                  {0x03B1, "\\alpha "},
                                                                  {0x03B2, "\\beta "},
                                                                  {0x03B3, "\\gamma "},
                                                                  {0x03B4, "\\delta "},
                                                                  {0x03BB, "\\lambda "},
                                                                  {0x03BC, "\\mu "},
                                                                  {0x03C1, "\\rho "},
                                                                  {0x03C3, "\\sigma "},
                                                                  {0x03C6, "\\phi "},
                                                                  {0x03C9, "\\omega "},
                                                                  {0x2070, "^{0}"},
                                                                  {0x00B9, "^{1}"},
                                                                  {0x00B2, "^{2}"},
                                                                  {0x00B3, "^{3}"},
                                                                  {0x2074, "^{4}"},
                                                                  {0x2075, "^{5}"},
                                                                  {0x2076, "^{6}"},
                                                                  {0x2077, "^{7}"},
                                                                  {0x2078, "^{8}"},
                                                                  {0x2079, "^{9}"},
                                                                  {0x2080, "_{0}"},
                                                                  {0x2081, "_{1}"},
                                                                  {0x2082, "_{2}"},
                                                                  {0x2083, "_{3}"},
                                                                  {0x2084, "_{4}"},
                                                                  {0x2085, "_{5}"},
                                                                  {0x2086, "_{6}"},
                                                                  {0x2087, "_{7}"},
                                                                  {0x2088, "_{8}"},
                                                                  {0x2089, "_{9}"},
                                                                  {0x207F, "^{n}"},
                                                                  {0x27E8, "\\langle "},
                                                                  {0x27E9, "\\rangle "},
                                                                  {0xFF0C, ","},
                                                                  {0xFF1B, ";"},
                                                                  {0x3001, ","},
                                                                  {0xFF08, "("},
                                                                  {0xFF09, ")"},
                                                                  {0xFF1A, ":"},
                                                                  {0x3002, "."},
                                                                  {0xFF1D, "="},
                                                                  {0xFF0B, "+"},
                                                                  {0xFF05, "%"},
                                                                  {0x2032, "'"},
                                                                  {0x00A0, " "},
                                                                  {0x2009, " "},
                                                                  {0x202F, " "},
                                                                  {0x200B, ""},
                                                                  {0x2061, ""},
                                                                  {0x20AC, ""},
                                                                  {0x00A3, ""},
                                                                  {0x00A5, ""},
                                                                  {0x2018, ""},
                                                                  {0x2019, "'"},
                                                                  {0x201C, ""},
                                                                  {0x201D, ""},
                                                                  {0x211D, "\\mathbb{R}"},
                                                                  {0x2124, "\\mathbb{Z}"},
                                                                  {0x2115, "\\mathbb{N}"},
                                                                  {0x211A, "\\mathbb{Q}"}};
  const auto found = map.find(character);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::string without_unicode(std::string_view answer) {
  const std::string valid = replace_invalid_utf8(answer);
  std::string result;
  for (std::size_t i = 0; i < valid.size();) {
    const Utf8Char character = next_utf8(std::string_view(valid).substr(i));
    const auto latex = latex_of(character.code);
    result += latex ? *latex : std::string_view(valid).substr(i, character.length);
    i += character.length;
  }
  return result;
}

}  // namespace specthink::inline evaluation
