#include "text/files/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <optional>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/text/chat_template.h"
#include "text/files/special_tokens.h"

namespace specthink::inline text {
namespace {

namespace fs = std::filesystem;

bool path_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// An object; empty where there is no such file.
OrderedJson read_object(const fs::path& path) {
  if (!path_exists(path)) return OrderedJson::object();
  OrderedJson json = parse_messages(read_file(path), path.string());
  if (!json.is_object()) throw UserError("{}: expected a JSON object, found {}", path.string(), json.type_name());
  return json;
}

SpecialTokenFiles read_special_token_files(const fs::path& folder, const Json* tokenizer) {
  return {read_tokenizer_config(folder), read_object(folder / "special_tokens_map.json"),
          read_object(folder / "added_tokens.json"), tokenizer, folder.string() + "/"};
}

// The kind of byte-level BPE that two files without tokenizer.json can be, each with what transformers builds for it.
struct OldFormat {
  std::string_view tokenizer_class;
  Json pre_tokenizer;
  Json normalizer;
  std::vector<std::string_view>
      end_of_text_names;  // that are <|endoftext|> where tokenizer_config.json has no such key
};

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"use_regex", use_regex}};
}

std::vector<OldFormat> old_formats(bool add_prefix_space) {
  constexpr const char* kQwenSplit =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kQwenSplit}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"Qwen2Tokenizer",
           {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(add_prefix_space, false)}}},
           {{"type", "NFC"}},
           {"unk_token", "eos_token", "pad_token"}},
          {"GPT2Tokenizer", byte_level(add_prefix_space, true), nullptr, {"unk_token", "bos_token", "eos_token"}}};
}

std::string text_or_empty(const OrderedJson& object, const char* key) {
  const auto entry = object.find(key);
  return entry != object.end() && entry->is_string() ? entry->get<std::string>() : "";
}

bool flag_of(const OrderedJson& object, const char* key) {
  const auto entry = object.find(key);
  return entry != object.end() && entry->is_boolean() && entry->get<bool>();
}

// By the class in tokenizer_config.json, else by the model.
OldFormat old_format(const fs::path& folder, const OrderedJson& config) {
  std::string name = text_or_empty(config, "tokenizer_class");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const std::string model = text_or_empty(read_object(folder / "config.json"), "model_type");
  const std::vector<OldFormat> formats = old_formats(flag_of(config, "add_prefix_space"));
  const auto named = std::ranges::find(formats, name, &OldFormat::tokenizer_class);
  if (named != formats.end()) return *named;
  return model.starts_with("qwen") ? formats[0] : formats[1];
}

Json read_merges(const fs::path& path) {
  const std::string text = read_file(path);
  Json merges = Json::array();
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  return merges;
}

Json read_old_format(const fs::path& folder, const OldFormat& format) {
  const Json decoder = byte_level(false, false);
  return {
      {"added_tokens", Json::array()},
      {"normalizer", format.normalizer},
      {"pre_tokenizer", format.pre_tokenizer},
      {"decoder", decoder},
      {"model",
       {{"type", "BPE"}, {"vocab", read_json(folder / "vocab.json")}, {"merges", read_merges(folder / "merges.txt")}}}};
}

void check_has_tokenizer(const fs::path& folder) {
  if (path_exists(folder / "vocab.json") && path_exists(folder / "merges.txt")) return;
  std::string found;
  for (const char* name : {"tokenizer.model", "tiktoken.model", "tekken.json", "vocab.json", "merges.txt"}) {
    if (path_exists(folder / name)) found += fmt::format("{}{}", found.empty() ? "" : ", ", name);
  }
  throw UserError(
      "{} is missing: the model folder must hold a Hugging Face tokenizer, tokenizer.json or vocab.json with "
      "merges.txt{}",
      (folder / "tokenizer.json").string(),
      found.empty() ? ""
                    : fmt::format(", found {}; transformers' AutoTokenizer.from_pretrained(…).save_pretrained(…) "
                                  "writes tokenizer.json",
                                  found));
}

}  // namespace

OrderedJson read_tokenizer_config(const fs::path& folder) { return read_object(folder / "tokenizer_config.json"); }

std::vector<std::pair<std::string, std::string>> read_named_tokens(const fs::path& folder) {
  return read_special_tokens(read_special_token_files(folder, nullptr)).named;
}

TokenizerFiles TokenizerFiles::read(const fs::path& folder) {
  TokenizerFiles files;
  const fs::path path = folder / "tokenizer.json";
  SpecialTokenFiles special;
  if (path_exists(path)) {
    files.source = path.string();
    files.tokenizer = read_json(path);
    special = read_special_token_files(folder, &files.tokenizer);
  } else {
    check_has_tokenizer(folder);
    files.source = (folder / "vocab.json").string();
    special = read_special_token_files(folder, nullptr);
    const OldFormat format = old_format(folder, special.config);
    files.tokenizer = read_old_format(folder, format);
    for (const std::string_view name : format.end_of_text_names) {
      if (!special.config.contains(name)) special.config[std::string(name)] = "<|endoftext|>";
    }
  }
  SpecialTokens tokens = read_special_tokens(special);
  files.added = std::move(tokens.added);
  files.added.splits_special = flag_of(special.config, "split_special_tokens");
  files.named = std::move(tokens.named);
  return files;
}

TokenizerFiles TokenizerFiles::parse(std::string_view tokenizer_json, std::string_view config_json,
                                     std::string_view source) {
  TokenizerFiles files;
  files.source = source;
  files.tokenizer = parse_json(tokenizer_json, source);
  SpecialTokenFiles special;
  special.config = config_json.empty() ? OrderedJson::object() : parse_messages(config_json, source);
  if (!special.config.is_object()) throw UserError("{}: expected a JSON object", source);
  special.tokenizer = &files.tokenizer;
  SpecialTokens tokens = read_special_tokens(special);
  files.added = std::move(tokens.added);
  files.added.splits_special = flag_of(special.config, "split_special_tokens");
  files.named = std::move(tokens.named);
  return files;
}

}  // namespace specthink::inline text
