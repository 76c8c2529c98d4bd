// std::source_location for clang before 15, which lacks the builtin that libstdc++ makes it of. Included before
// everything else in fuzz builds.
#pragma once

#include <version>

#if defined(__clang__) && defined(__GLIBCXX__) && !__has_builtin(__builtin_source_location)
namespace std {
class source_location {
 public:
  static constexpr source_location current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    source_location result;
    result.file_ = file;
    result.line_ = line;
    return result;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr unsigned line() const { return line_; }

 private:
  const char* file_ = "";
  unsigned line_ = 0;
};
}  // namespace std
#endif
