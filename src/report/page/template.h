// The parts of the page that are files in html/, as CMake puts them into the program (html/embed.cmake).
#pragma once

#include <string_view>

namespace specthink::inline report {

extern const std::string_view kPageTemplate;  ///< has the marks that page.cpp fills in
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace specthink::inline report
