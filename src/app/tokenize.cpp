// specthink tokenize: text to token ids and back, without loading a model.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

#include "app/commands.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"
#include "specthink/model/hub.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app {
namespace {

struct Input {
  std::string text;
  std::string source;  // names it in errors
};

Input read_input(const GenerateSettings& settings) {
  if (settings.prompt) return {*settings.prompt, "the argument"};
  if (settings.prompt_file) return {read_file(*settings.prompt_file), *settings.prompt_file};
  return {std::string(std::istreambuf_iterator<char>(std::cin), {}), "stdin"};
}

Tokenizer load_tokenizer(const Settings& settings) {
  const std::string& model = settings.tokenize.model.empty() ? settings.models.target : settings.tokenize.model;
  if (model.empty()) throw UserError("no tokenizer: name a model folder or a hub name with --model");
  // A folder needs nothing but the tokenizer's files; resolve_model expects a whole model.
  return Tokenizer::load(std::filesystem::is_directory(model) ? std::filesystem::path(model) : resolve_model(model));
}

[[noreturn]] void bad_id(std::string_view found, std::string_view source) {
  throw UserError("{}: expected token ids (whole numbers from 0 on), found {}", source,
                  found.empty() ? "an empty item" : fmt::format("'{}'", found.substr(0, 40)));
}

TokenIds ids_from_json(const Json& list, std::string_view source) {
  if (!list.is_array()) throw UserError("{}: expected a list of token ids, found {}", source, list.type_name());
  TokenIds ids;
  for (const Json& item : list) {
    constexpr std::uint64_t kMax = std::numeric_limits<TokenId>::max();
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > kMax) bad_id(item.dump(), source);
    ids.push_back(item.get<TokenId>());
  }
  return ids;
}

const Json& member(const Json& object, const char* key, std::string_view source) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) {
    throw UserError("{}: expected an object {{\"{}\": …}}", source, key);
  }
  return *found;
}

TokenId parse_id(std::string_view digits, std::string_view source) {
  std::int64_t id = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') bad_id(digits, source);
    id = id * 10 + (c - '0');
    if (id > std::numeric_limits<TokenId>::max()) bad_id(digits, source);
  }
  if (digits.empty()) bad_id(digits, source);
  return static_cast<TokenId>(id);
}

// A JSON list, {"ids": [...]}, or numbers with white space, a comma or both between them.
TokenIds parse_ids(std::string_view text, std::string_view source) {
  constexpr std::string_view kSpace = " \t\r\n";
  TokenIds ids;
  std::size_t at = text.find_first_not_of(kSpace);
  if (at == std::string_view::npos) return ids;
  if (text[at] == '[') return ids_from_json(parse_json(text, source), source);
  if (text[at] == '{') return ids_from_json(member(parse_json(text, source), "ids", source), source);
  for (;;) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n,", at), text.size());
    ids.push_back(parse_id(text.substr(at, end - at), source));
    at = text.find_first_not_of(kSpace, end);
    if (at == std::string_view::npos) return ids;
    if (text[at] != ',') continue;
    at = std::min(text.find_first_not_of(kSpace, at + 1), text.size());
  }
}

class Converter {
 public:
  explicit Converter(const Settings& settings)
      : tokenizer_(load_tokenizer(settings)), skip_special_(settings.tokenize.skip_special) {}

  TokenIds encode(std::string_view text) const { return tokenizer_.encode_framed(text); }
  std::string decode(const TokenIds& ids) const { return tokenizer_.decode(ids, skip_special_); }

  // {"text": …} → {"ids": […]}
  Json encode_object(const Json& object, std::string_view source) const {
    const Json& text = member(object, "text", source);
    if (!text.is_string()) throw UserError("{}: \"text\" must be a string, found {}", source, text.type_name());
    return {{"ids", encode(text.get_ref<const std::string&>())}};
  }

  // {"ids": […]} → {"text": …}
  Json decode_object(const Json& object, std::string_view source) const {
    return {{"text", decode(ids_from_json(member(object, "ids", source), source))}};
  }

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
};

// One result line for each line that is not blank. Nothing is printed before all of them are read.
std::string convert_lines(const Converter& converter, const Input& input, bool decode) {
  std::string output;
  std::size_t number = 0;
  for (std::string_view rest = input.text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string source = fmt::format("{}: line {}", input.source, number);
    const Json object = parse_json(line, source);
    output += (decode ? converter.decode_object(object, source) : converter.encode_object(object, source)).dump();
    output += '\n';
  }
  return output;
}

std::string convert_whole(const Converter& converter, const Input& input, bool decode, bool as_json) {
  if (!decode) {
    const TokenIds ids = converter.encode(input.text);
    return (as_json ? Json{{"ids", ids}} : Json(ids)).dump() + "\n";
  }
  const std::string text = converter.decode(parse_ids(input.text, input.source));
  if (as_json) return Json{{"text", text}}.dump() + "\n";
  return ::isatty(STDOUT_FILENO) ? text + "\n" : text;  // a file or pipe gets the text and nothing else
}

}  // namespace

int run_tokenize(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  const bool decode = settings.tokenize.decode;
  const Converter converter(settings);
  const Input input = read_input(settings.generate);
  const std::string output = settings.format == Format::jsonl
                                 ? convert_lines(converter, input, decode)
                                 : convert_whole(converter, input, decode, settings.format == Format::json);
  std::cout << output;
  return kExitSuccess;
}

}  // namespace specthink::inline app
