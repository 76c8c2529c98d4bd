#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <tuple>

#include "model/checkpoint/unique_json.h"
#include "model/gguf/gguf_config.h"
#include "specthink/base/error.h"
#include "specthink/base/strings.h"

namespace specthink::inline model::gguf {
namespace {

// The kinds of tokens, by their numbers in the file.
constexpr int kControl = 3;
constexpr int kUserDefined = 4;
constexpr int kUnused = 5;

constexpr const char* kCl100k =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The patterns of a tokenizer, one after the other.
constexpr std::array kCl100kSteps{kCl100k};
constexpr std::array kQwen2Steps{kQwen2};
constexpr std::array kO200kSteps{kO200k};
constexpr std::array kTekkenSteps{kTekken};
constexpr const char* kLineEnd = "[\r\n]";
constexpr const char* kEastAsian = "[一-龥ࠀ-一가-\xED\x9F\xBF]+";
constexpr std::array kDeepSeekCoderSteps{kLineEnd, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kEastAsian};

/// How a byte-level tokenizer cuts a text into words, by tokenizer.ggml.pre.
struct PreTokenizer {
  const char* name;
  std::span<const char* const> patterns;  // none: GPT-2's own
  bool digits = false;                    // each digit is a word
  bool nfc = false;
  bool ignore_merges = false;  // a word that is a token is not merged
  bool begins = false;         // a text begins with the BOS token, if the file does not say
};
constexpr std::array kPreTokenizers{
    PreTokenizer{"qwen2", kQwen2Steps, false, true},
    PreTokenizer{"deepseek-r1-qwen", kQwen2Steps, false, true, false, true},
    PreTokenizer{"smollm", {}, true},
    PreTokenizer{"starcoder", {}, true},
    PreTokenizer{"refact", {}, true},
    PreTokenizer{"deepseek-coder", kDeepSeekCoderSteps, true},
    PreTokenizer{"llama-bpe", kCl100kSteps, false, false, true, true},
    PreTokenizer{"llama3", kCl100kSteps, false, false, true, true},
    PreTokenizer{"dbrx", kCl100kSteps},
    PreTokenizer{"gpt-4o", kO200kSteps},
    PreTokenizer{"tekken", kTekkenSteps, false, false, true, true},
    PreTokenizer{"gpt-2", {}},
    PreTokenizer{"default", {}},
};

const PreTokenizer& pre_tokenizer_of(const GgufFile& file) {
  const Json* pre = find_value(file, "tokenizer.ggml.pre");
  const std::string name = pre ? require_text(file, "tokenizer.ggml.pre") : "default";
  std::vector<std::string> names;
  for (const PreTokenizer& known : kPreTokenizers) {
    if (name == known.name) return known;
    names.emplace_back(known.name);
  }
  throw UserError(
      "{}: tokenizer.ggml.pre: {} is not supported; supported: {}; copy tokenizer.json from the original model",
      file.path().string(), specthink::quoted(name), fmt::join(names, ", "));
}

/// A list of `size` values that satisfy `fits`, or of any size for 0; none when the key is missing.
template <typename Fits>
const Json* find_list(const GgufFile& file, const std::string& key, std::size_t size, const char* expected, Fits fits) {
  const Json* list = find_value(file, key);
  if (!list) return nullptr;
  if (!list->is_array() || (size > 0 && list->size() != size) || !std::ranges::all_of(*list, fits)) {
    throw UserError("{}: {}: expected a list of {}{}, found {}", file.path().string(), key,
                    size > 0 ? fmt::format("{} ", size) : "", expected,
                    list->is_array() ? fmt::format("{} values", list->size()) : excerpt(*list));
  }
  return list;
}

bool is_text(const Json& value) { return value.is_string(); }

/// The tokens by id, and of what kind each is.
struct Tokens {
  explicit Tokens(const GgufFile& file) {
    const Json* list = find_list(file, "tokenizer.ggml.tokens", 0, "texts", is_text);
    if (!list || list->empty()) {
      throw UserError("{}: tokenizer.ggml.tokens: expected a list of tokens, found none", file.path().string());
    }
    texts = list->get<std::vector<std::string>>();
    kinds.assign(texts.size(), 1);
    const auto is_kind = [](const Json& value) { return value.is_number_integer(); };
    if (const Json* given = find_list(file, "tokenizer.ggml.token_type", texts.size(), "numbers", is_kind)) {
      kinds = given->get<std::vector<int>>();
    }
  }

  bool is_added(std::size_t id) const { return kinds[id] == kControl || kinds[id] == kUserDefined; }

  std::vector<std::string> texts;
  std::vector<int> kinds;
};

/// The texts that the merges work on. Added tokens behind all others are in the list of added tokens alone.
Json vocabulary(const Tokens& tokens) {
  std::size_t end = tokens.texts.size();
  while (end > 0 && (tokens.is_added(end - 1) || tokens.kinds[end - 1] == kUnused)) --end;
  Json vocab = Json::object();
  for (std::size_t id = 0; id < end; ++id) {
    if (tokens.kinds[id] != kUnused) vocab[tokens.texts[id]] = id;
  }
  return vocab;
}

Json added_tokens(const Tokens& tokens) {
  Json added = Json::array();
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    if (!tokens.is_added(id)) continue;
    added.push_back({{"id", id},
                     {"content", tokens.texts[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", tokens.kinds[id] == kControl}});
  }
  return added;
}

/// "left right", where the space between them is the first that is not a token's first character.
Json stored_merges(const GgufFile& file, const Json& vocab) {
  const Json* list = find_list(file, "tokenizer.ggml.merges", 0, "texts", is_text);
  Json merges = Json::array();
  if (!list) return merges;
  for (const Json& item : *list) {
    const auto& text = item.get_ref<const std::string&>();
    const std::size_t space = text.find(' ', 1);
    const std::string left = text.substr(0, space);
    const std::string right = space == text.npos ? "" : text.substr(space + 1);
    if (right.empty() || !vocab.contains(left) || !vocab.contains(right) || !vocab.contains(left + right)) {
      throw UserError("{}: tokenizer.ggml.merges, entry {}: expected two tokens that join to a third, found {}",
                      file.path().string(), merges.size(), excerpt(text));
    }
    merges.push_back({left, right});
  }
  return merges;
}

/// The merges that a SentencePiece model means: every pair of tokens that join to a third, the third with the best
/// score first.
Json merges_by_score(const GgufFile& file, const Tokens& tokens, const Json& vocab) {
  const auto is_number = [](const Json& value) { return value.is_number(); };
  const Json* list = find_list(file, "tokenizer.ggml.scores", tokens.texts.size(), "numbers", is_number);
  if (!list) {
    throw UserError("{}: expected tokenizer.ggml.merges or tokenizer.ggml.scores, found neither", file.path().string());
  }
  std::vector<std::tuple<float, std::int64_t, std::int64_t, std::string, std::string>> pairs;
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    const std::string& text = tokens.texts[id];
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      if ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) continue;  // within a character
      const auto left = vocab.find(text.substr(0, cut));
      const auto right = vocab.find(text.substr(cut));
      if (left == vocab.end() || right == vocab.end()) continue;
      pairs.emplace_back(-(*list)[id].get<float>(), left->get<std::int64_t>(), right->get<std::int64_t>(),
                         text.substr(0, cut), text.substr(cut));
    }
  }
  std::ranges::sort(pairs);
  Json merges = Json::array();
  for (const auto& [score, left_id, right_id, left, right] : pairs) merges.push_back({left, right});
  return merges;
}

bool flag(const GgufFile& file, const std::string& key, bool fallback) {
  const Json* value = find_value(file, key);
  return value && value->is_boolean() ? value->get<bool>() : fallback;
}

/// The text of the token that `key` names the id of; null when there is none.
Json token_at(const GgufFile& file, const Tokens& tokens, const std::string& key) {
  const Json* id = find_value(file, key);
  if (!id) return nullptr;
  if (!id->is_number_integer() || *id < 0 || *id >= tokens.texts.size()) {
    throw UserError("{}: {}: expected the id of one of {} tokens, found {}", file.path().string(), key,
                    tokens.texts.size(), excerpt(*id));
  }
  return tokens.texts[id->get<std::size_t>()];
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", use_regex}};
}

Json sequence(const char* name, Json steps) { return {{"type", "Sequence"}, {name, std::move(steps)}}; }

Json replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

Json byte_level_tokenizer(const GgufFile& file, const Tokens& tokens) {
  const PreTokenizer& pre = pre_tokenizer_of(file);
  Json steps = Json::array();
  for (const char* pattern : pre.patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  if (pre.digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  steps.push_back(byte_level(/*use_regex=*/pre.patterns.empty()));
  Json vocab = vocabulary(tokens);
  Json merges = stored_merges(file, vocab);
  return {{"normalizer", pre.nfc ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", sequence("pretokenizers", std::move(steps))},
          {"decoder", byte_level(true)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", pre.ignore_merges},
            {"vocab", std::move(vocab)},
            {"merges", std::move(merges)}}}};
}

Json sentence_piece_tokenizer(const GgufFile& file, const Tokens& tokens) {
  const bool prefix = flag(file, "tokenizer.ggml.add_space_prefix", true);
  Json normalizers = Json::array();
  if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  normalizers.push_back(replace(" ", "▁"));
  Json decoders = Json::array({replace("▁", " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  Json vocab = vocabulary(tokens);
  Json merges =
      find_value(file, "tokenizer.ggml.merges") ? stored_merges(file, vocab) : merges_by_score(file, tokens, vocab);
  return {{"normalizer", sequence("normalizers", std::move(normalizers))},
          {"pre_tokenizer", nullptr},
          {"decoder", sequence("decoders", std::move(decoders))},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", token_at(file, tokens, "tokenizer.ggml.unknown_token_id")},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", std::move(vocab)},
            {"merges", std::move(merges)}}}};
}

bool is_sentence_piece(const GgufFile& file) {
  const std::string model = require_text(file, "tokenizer.ggml.model");
  if (model != "gpt2" && model != "llama") {
    throw UserError("{}: tokenizer.ggml.model: {} is not supported; supported: gpt2, llama", file.path().string(),
                    specthink::quoted(model));
  }
  return model == "llama";
}

bool adds_bos(const GgufFile& file) {
  const bool usual = is_sentence_piece(file) || pre_tokenizer_of(file).begins;
  return flag(file, "tokenizer.ggml.add_bos_token", usual);
}

/// The BOS token in front of every text.
Json bos_template(const std::string& bos, const Json& id) {
  const Json token{{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const Json first{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json second{{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  const Json again{{"SpecialToken", {{"id", bos}, {"type_id", 1}}}};
  return {{"type", "TemplateProcessing"},
          {"single", {token, first}},
          {"pair", {token, first, again, second}},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", {id}}, {"tokens", {bos}}}}}}};
}

}  // namespace

Json tokenizer(const GgufFile& file) {
  const Tokens tokens(file);
  const bool pieces = is_sentence_piece(file);
  Json result = pieces ? sentence_piece_tokenizer(file, tokens) : byte_level_tokenizer(file, tokens);
  result["version"] = "1.0";
  result["truncation"] = nullptr;
  result["padding"] = nullptr;
  result["added_tokens"] = added_tokens(tokens);
  const Json bos = token_at(file, tokens, "tokenizer.ggml.bos_token_id");
  const bool begins = adds_bos(file) && !bos.is_null();
  if (begins) {
    result["post_processor"] = bos_template(bos.get<std::string>(), *find_value(file, "tokenizer.ggml.bos_token_id"));
  } else {
    result["post_processor"] = pieces ? Json() : byte_level(true);
  }
  return result;
}

Json tokenizer_config(const GgufFile& file) {
  const Tokens tokens(file);
  Json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
              {"clean_up_tokenization_spaces", false},
              {"add_bos_token", adds_bos(file)}};
  for (const auto& [name, key] :
       {std::pair{"bos_token", "bos"}, {"eos_token", "eos"}, {"pad_token", "padding"}, {"unk_token", "unknown"}}) {
    config[name] = token_at(file, tokens, std::string("tokenizer.ggml.") + key + "_token_id");
  }
  if (find_value(file, "tokenizer.chat_template")) {
    config["chat_template"] = require_text(file, "tokenizer.chat_template");
  }
  return config;
}

}  // namespace specthink::inline model::gguf
