#include "model/checkpoint/unique_json.h"

#include <optional>
#include <set>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

// Follows the parser's events and stops at the first repeated key.
class RepeatedKeyFinder : public nlohmann::json_sax<Json> {
 public:
  const std::optional<std::string>& repeated() const { return repeated_; }

  bool start_object(std::size_t) override {
    open_objects_.emplace_back();
    return true;
  }
  bool key(std::string& name) override {
    if (open_objects_.back().insert(name).second) return true;
    repeated_ = name;
    return false;
  }
  bool end_object() override {
    open_objects_.pop_back();
    return true;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  std::vector<std::set<std::string>> open_objects_;
  std::optional<std::string> repeated_;
};

}  // namespace

Json parse_json_unique(std::string_view text, const std::string& source) {
  Json value = parse_json(text, source);
  RepeatedKeyFinder finder;
  Json::sax_parse(text.begin(), text.end(), &finder);
  if (finder.repeated()) throw UserError("{}: the key {} occurs twice", source, quoted(*finder.repeated()));
  return value;
}

std::string quoted(const std::string& name) { return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace specthink::inline model
