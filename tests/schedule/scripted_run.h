// What the schedule's tests share: settings, a small tokenizer, and answers given by a script.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/schedule/schedule.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink {

/// As result files write an entry ("traget" is how they spell it).
inline Json to_json(const LogEntry& entry) {
  Json json = {{"pos", entry.pos}, {"token_num", entry.token_num}, {"traget", entry.target_text}};
  if (entry.draft_text) json["speculative"] = *entry.draft_text;
  return json;
}

inline const char* name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::segment:
      return "segment";
    case Purpose::probe:
      return "probe";
    case Purpose::answer:
      return "answer";
    case Purpose::takeover:
      return "takeover";
    case Purpose::coin:
      return "coin";
  }
  return "unknown";
}

namespace testing {

/// The defaults of the YAML keys.
inline ScheduleSettings default_settings() {
  ScheduleSettings settings;
  settings.trigger_tokens = {"\n\n"};
  settings.verify_words = {"verify", "think again", "recap", "check"};
  settings.negative_words = {"wait", "alternatively", "hold on", "another"};
  settings.positive_words = {"yeah", "yes", "final answer", "confident"};
  settings.help_recap_words = "Let me check whether there are some wrong steps:";
  settings.max_target_tokens = 20;
  settings.begin_token_num = 100;
  settings.original_recap_token_num = 125;
  settings.recap_after_negative_num = 15;
  settings.add_each_recap = 25;
  settings.add_each_neg = 5;
  settings.max_recap_token_num = 200;
  settings.max_negative_num = 30;
  return settings;
}

/// A tokenizer of single bytes, a few whole words, two special tokens, <eos> (the tokenizer's own) and <end>, and
/// </think>.
inline Tokenizer small_tokenizer(bool with_think_end = true) {
  const auto utf8 = [](int code) {
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return std::string{static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
  };
  Json vocab = Json::object();
  int unprintable = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    vocab[utf8(printable ? byte : 256 + unprintable++)] = byte;
  }
  Json merges = Json::array();
  const auto add_word = [&](const std::vector<std::string>& letters) {
    std::string word = letters[0];
    for (std::size_t i = 1; i < letters.size(); ++i) {
      const std::string longer = word + letters[i];
      if (!vocab.contains(longer)) {
        merges.push_back({word, letters[i]});
        vocab[longer] = vocab.size();
      }
      word = longer;
    }
  };
  for (const std::string& word : {std::string("wait"), std::string("yes"), std::string("check"), std::string("so")}) {
    std::vector<std::string> letters;
    for (const char letter : word) letters.emplace_back(1, letter);
    add_word(letters);
  }
  add_word({".", "\u010a", "\u010a"});  // ".\n" and ".\n\n"
  add_word({"\u010a", "\u010a"});       // "\n\n"

  Json added = Json::array();
  for (const char* content : {"<eos>", "<end>"}) {
    added.push_back({{"id", vocab.size() + added.size()},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  if (with_think_end) {
    Json token = added.back();
    token["id"] = vocab.size() + added.size();
    token["content"] = "</think>";
    token["special"] = false;
    added.push_back(token);
  }
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", R"( ?\p{L}+|[^\s\p{L}]+[\r\n]*|\s+)"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", {{"type", "NFC"}}},
                     {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
                     {"post_processor", byte_level},
                     {"decoder", byte_level},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", ""},
                       {"end_of_word_suffix", ""},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false},
                       {"vocab", vocab},
                       {"merges", merges}}}};
  return Tokenizer::parse(json.dump(), R"({"eos_token": "<eos>"})", "small tokenizer");
}

/// Why an engine ends `request` after `ids`, both models having all of the setup's EOS ids on their lists.
inline EndReason end_reason(const Request& request, std::span<const TokenId> ids, const RunSetup& setup) {
  if (ids.empty()) return EndReason::length;
  const bool eos = std::ranges::find(setup.eos_ids, ids.back()) != setup.eos_ids.end();
  if (eos && !setup.ignore_eos) return EndReason::eos;
  if (request.stop_token == ids.back()) return EndReason::stop_token;
  if (!request.stops || ids.size() < static_cast<std::size_t>(request.min_tokens)) return EndReason::length;
  StopAutomaton::Step step{.state = request.stop_state};
  for (const TokenId id : ids) step = request.stops->step(step.state, id);
  return step.matched ? EndReason::trigger : EndReason::length;
}

/// A run over the small tokenizer whose requests the test answers with texts.
class ScriptedRun {
 public:
  explicit ScriptedRun(ScheduleSettings settings, int max_tokens = 1000, std::string_view prompt = "Q",
                       bool with_think_end = true)
      : tokenizer_(small_tokenizer(with_think_end)),
        triggers_(StopAutomaton(settings.trigger_tokens), tokenizer_),
        sentence_ends_(StopAutomaton(sentence_end_strings()), tokenizer_),
        step_ends_(StopAutomaton(step_end_strings()), tokenizer_) {
    if (!settings.cues.empty()) cues_.emplace(StopAutomaton(settings.cues), tokenizer_);
    setup.settings = std::move(settings);
    setup.tokenizer = &tokenizer_;
    setup.triggers = &triggers_;
    setup.cues = cues_ ? &*cues_ : nullptr;
    setup.sentence_ends = &sentence_ends_;
    setup.step_ends = &step_ends_;
    setup.question = tokenizer_.encode("ok?");
    setup.digits = tokenizer_.encode("0123456789");
    setup.tokenizer_eos = tokenizer_.eos_token_id();
    setup.eos_ids = {*tokenizer_.token_id("<eos>"), *tokenizer_.token_id("<end>")};
    setup.prompt = tokenizer_.encode(prompt);
    setup.max_tokens = max_tokens;
    setup.max_model_len = 32768;
  }

  /// The schedule of `setup` as it is at the first call.
  Schedule& schedule() {
    if (!schedule_) schedule_ = make_schedule(setup);
    return *schedule_;
  }

  /// The waiting request as "purpose prefix-text max_tokens", with " stop@STATE" where it stops at a string, " min N"
  /// for a minimum length, " think" where it stops at </think>, " entropy" with a limit of it and " statistics" where
  /// those are wanted; "read prefix-text suffix-text" for a reading; "" when the run is over.
  std::string request() {
    const Request* request = schedule().request();
    if (request == nullptr) return "";
    const std::string prefix = " '" + tokenizer_.decode(request->prefix) + "' ";
    if (!request->read_ids.empty()) return "read" + prefix + "'" + tokenizer_.decode(request->suffix) + "'";
    return std::string(name_of(request->purpose)) + prefix + std::to_string(request->max_tokens) +
           (request->stops ? " stop@" + std::to_string(request->stop_state) : "") +
           (request->min_tokens > 0 ? " min " + std::to_string(request->min_tokens) : "") +
           (request->stop_token ? " think" : "") + (request->max_entropy < kAnyEntropy ? " entropy" : "") +
           (request->statistics ? " statistics" : "");
  }

  ScriptedRun& answer(std::string_view text) {
    const TokenIds ids = tokenizer_.encode(text);
    const Request* request = schedule().request();
    return answer(text, request ? end_reason(*request, ids, setup) : EndReason::length, 0);
  }

  /// With an entropy of the last token.
  ScriptedRun& answer(std::string_view text, EndReason reason, float entropy) {
    const TokenIds ids = tokenizer_.encode(text);
    Measured measured;
    measured.tokens.resize(ids.size());
    if (!ids.empty()) measured.tokens.back().entropy = entropy;
    schedule().resume(ids, reason, measured);
    return *this;
  }

  /// Answers a reading: the probabilities of the ten digits.
  ScriptedRun& answer_digits(const std::vector<float>& probabilities) {
    Measured measured;
    for (const float probability : probabilities) measured.reading.push_back(std::log(probability));
    schedule().resume({}, EndReason::length, measured);
    return *this;
  }

  /// All probability on one digit.
  ScriptedRun& answer_digit(int digit) {
    std::vector<float> probabilities(10, 0);
    probabilities[static_cast<std::size_t>(digit)] = 1;
    return answer_digits(probabilities);
  }

  std::string settled() { return tokenizer_.decode(schedule().settled_ids()); }
  std::string decode(const TokenIds& ids) const { return tokenizer_.decode(ids); }
  TokenIds encode(std::string_view text) const { return tokenizer_.encode(text); }
  const StopTable& triggers() const { return triggers_; }

  RunSetup setup;

 private:
  Tokenizer tokenizer_;
  StopTable triggers_;
  std::optional<StopTable> cues_;
  StopTable sentence_ends_;
  StopTable step_ends_;
  std::unique_ptr<Schedule> schedule_;
};

}  // namespace testing
}  // namespace specthink
