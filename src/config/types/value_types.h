// The types of settings: how a value is read from YAML or from text, checked, and written.
//
// Each type has
//   Value                               what Settings hold
//   Value read(YamlValue, Location) const  throws UserError
//   Json write(Value) const             what read() takes back; Json is YAML, too
//   std::string metavar() const         what stands behind the flag in the help
//   std::string range() const           what values are allowed, in words; empty: any
#pragma once

#include <array>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/json.h"
#include "specthink/base/types.h"
#include "specthink/config/settings.h"
#include "specthink/config/yaml.h"

namespace specthink::inline config {

/// Where a value was given: in a YAML file, with YAML's types, or as the plain text of a flag or variable.
class Location {
 public:
  static Location in_yaml(const std::filesystem::path& file, int line, const std::string& key);
  static Location in_flag(const std::string& flag) { return Location("flag " + flag); }
  static Location in_request(const std::string& field) { return Location("field '" + field + "'"); }
  static Location in_argument() { return Location("argument"); }
  static Location in_environment(const std::string& variable) { return Location("environment " + variable); }

  bool in_file() const { return !file_.empty(); }
  std::filesystem::path folder() const { return file_.parent_path(); }  ///< what relative paths in a file refer to
  const std::string& source() const { return source_; }                 ///< as ResolvedOption::source
  std::string subject() const { return in_file() ? source_ + ": " + key_ : source_; }  ///< how an error begins

  /// The same setting, another line of the file.
  Location at(int line) const { return in_file() ? in_yaml(file_, line, key_) : *this; }

  /// Throws UserError.
  [[noreturn]] void fail(const std::string& expected, const YamlValue& found, const std::string& advice = "") const;

 private:
  explicit Location(std::string source) : source_(std::move(source)) {}

  std::string source_;
  std::filesystem::path file_;
  std::string key_;
};

/// Sums of two such counts stay within an int.
constexpr int kMaxCount = 1'000'000'000;

/// `true` and `false`; in any spelling of YAML 1.1 (yes, On, …), as the old files were read. Outside files 1 and 0 too.
struct Boolean {
  using Value = bool;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(Value value) const { return value; }
  std::string metavar() const { return ""; }
  std::string range() const { return ""; }
};

struct Integer {
  int min = 1;
  int max = kMaxCount;

  using Value = int;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(Value value) const { return value; }
  std::string metavar() const { return "N"; }
  std::string range() const;
};

/// Any number that fits 64 bits.
struct Seed {
  using Value = std::uint64_t;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(Value value) const { return value; }
  std::string metavar() const { return "N"; }
  std::string range() const { return "0 to 2^64-1"; }
};

/// A finite number.
struct Number {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  bool excludes_min = false;
  std::optional<double> if_null = std::nullopt;  ///< what null stands for; without it, null is an error

  using Value = double;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(Value value) const;
  std::string metavar() const { return "X"; }
  std::string range() const;
};

/// One of some words.
template <class T>
struct Choice {
  std::vector<std::pair<std::string, T>> words;
  std::vector<std::pair<std::string, std::string>> old_words = {};  ///< that words had once: still read, never written

  using Value = T;
  Value read(const YamlValue& value, const Location& location) const {
    const std::string given = current_word(value.text);
    for (const auto& [word, meaning] : words) {
      if (value.is_scalar() && given == word) return meaning;
    }
    location.fail("one of " + joined(", "), value);
  }
  std::string current_word(const std::string& given) const {
    for (const auto& [old_word, word] : old_words) {
      if (given == old_word) return word;
    }
    return given;
  }
  Json write(const Value& value) const {
    for (const auto& [word, meaning] : words) {
      if (value == meaning) return word;
    }
    throw InternalError("a choice without a word");
  }
  std::string metavar() const { return joined("|"); }
  std::string range() const { return ""; }

 private:
  std::string joined(const char* separator) const {
    std::string result;
    for (const auto& [word, meaning] : words) result += (result.empty() ? "" : separator) + word;
    return result;
  }
};

/// Text, or a name in the file system. Text in a file that YAML reads as a number or a boolean must be quoted there.
struct Text {
  enum class Form {
    text,
    path,             ///< in a file: relative to the file's folder
    model,            ///< a path where it names a folder or begins with / ./ or ../, otherwise a hub name
    text_or_at_path,  ///< text, or @path
  };
  enum class Empty { error, text, null };  ///< what empty text is
  Form form = Form::text;
  std::string name = "TEXT";  ///< in the help
  bool null_allowed = true;
  Empty empty = Empty::error;
  bool none_is_null = false;  ///< outside files `none` means null

  using Value = std::optional<std::string>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return none_is_null ? name + "|none" : name; }
  std::string range() const { return ""; }
};

/// At least one text, none of them empty. Outside files in YAML's flow style: ["\n\n", "."].
struct WordList {
  using Value = std::vector<std::string>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const { return value; }
  std::string metavar() const { return "LIST"; }
  std::string range() const { return ""; }
};

/// {verify: […], negative: […], positive: […]}; a list that is left out is the default one.
struct Keywords {
  struct Value {
    std::vector<std::string> verify;
    std::vector<std::string> negative;
    std::vector<std::string> positive;
  };
  Value defaults;

  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "MAP"; }
  std::string range() const { return ""; }
};

/// 2/4: the second of four. Settings hold it as Part.
struct PartOfWhole {
  using Value = Part;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "K/N"; }
  std::string range() const { return "K from 1 to N"; }
};

/// Token ids: 5,17,3 or a YAML list.
struct IdList {
  using Value = std::optional<TokenIds>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const { return value ? Json(*value) : Json(); }
  std::string metavar() const { return "ID,ID,..."; }
  std::string range() const { return ""; }
};

/// Indices and ranges of them: 0,3,5-9 or a YAML list of such items.
struct IndexList {
  using Value = std::optional<std::vector<IndexRange>>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "LIST"; }
  std::string range() const { return ""; }
};

/// Names: a,b,c or a YAML list.
struct NameList {
  std::string name = "NAME";  ///< of one of them, in the help

  using Value = std::vector<std::string>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const { return value.empty() ? Json() : Json(value); }
  std::string metavar() const { return name + ",..."; }
  std::string range() const { return ""; }
};

/// Numbers from 0 on: 0.6,0.8, or on a command line 0.6 0.8, or a YAML list.
struct NumberList {
  static constexpr bool kTakesMore = true;

  using Value = std::vector<double>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "X,..."; }
  std::string range() const { return "each from 0 on"; }
};

/// A whole number that need not be given.
/// A count, or auto, which is 0.
struct AutoInteger {
  int max = kMaxCount;

  using Value = int;
  Value read(const YamlValue& value, const Location& location) const {
    if (value.is_scalar() && value.text == "auto") return 0;
    return Integer{.max = max}.read(value, location);
  }
  Json write(Value value) const { return value == 0 ? Json("auto") : Json(value); }
  std::string metavar() const { return "N|auto"; }
  std::string range() const { return Integer{.max = max}.range(); }
};

struct OptionalInteger {
  int min = 0;

  using Value = std::optional<int>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const { return value ? Json(*value) : Json(); }
  std::string metavar() const { return "N"; }
  std::string range() const { return Integer{.min = min}.range(); }
};

/// bf16, fp8 or auto for the target and the draft: fp8,bf16 or a YAML list; one for both.
struct Precisions {
  using Value = std::array<WeightPrecision, 2>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "T[,D]"; }
  std::string range() const { return "each bf16, fp8 or auto"; }
};

/// Shares of one whole, for the target and the draft: 0.4,0.4 or a YAML list; auto is none.
struct Shares {
  using Value = std::optional<std::array<double, 2>>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "T,D|auto"; }
  std::string range() const { return "both above 0, sum at most 1"; }
};

}  // namespace specthink::inline config
