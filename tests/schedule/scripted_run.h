// What the schedule's tests share: settings, a small tokenizer, and answers given by a script.
#pragma once

#include <algorithm>
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

/// A tokenizer of single bytes, a few whole words, and two special tokens, <eos> (the tokenizer's own) and <end>.
inline Tokenizer small_tokenizer() {
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
inline EndReason end_reason(const Request& request, std::span<const TokenId> ids, const RunSetup& setup,
                            const StopTable& triggers) {
  if (ids.empty()) return EndReason::length;
  const bool eos = std::ranges::find(setup.eos_ids, ids.back()) != setup.eos_ids.end();
  if (eos && !setup.ignore_eos) return EndReason::eos;
  StopAutomaton::Step step{.state = request.stop_state};
  for (const TokenId id : ids) step = triggers.step(step.state, id);
  return request.stop_at_trigger && step.matched ? EndReason::trigger : EndReason::length;
}

/// A run over the small tokenizer whose requests the test answers with texts.
class ScriptedRun {
 public:
  explicit ScriptedRun(ScheduleSettings settings, int max_tokens = 1000, std::string_view prompt = "Q")
      : tokenizer_(small_tokenizer()), triggers_(StopAutomaton(settings.trigger_tokens), tokenizer_) {
    setup.settings = std::move(settings);
    setup.tokenizer = &tokenizer_;
    setup.triggers = &triggers_;
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

  /// The waiting request as "purpose prefix-text max_tokens", with " stop@STATE" where it stops at a trigger; "" when
  /// the run is over.
  std::string request() {
    const Request* request = schedule().request();
    if (request == nullptr) return "";
    return std::string(name_of(request->purpose)) + " '" + tokenizer_.decode(request->prefix) + "' " +
           std::to_string(request->max_tokens) +
           (request->stop_at_trigger ? " stop@" + std::to_string(request->stop_state) : "");
  }

  ScriptedRun& answer(std::string_view text) {
    const TokenIds ids = tokenizer_.encode(text);
    const Request* request = schedule().request();
    schedule().resume(ids, request ? end_reason(*request, ids, setup, triggers_) : EndReason::length);
    return *this;
  }

  std::string settled() { return tokenizer_.decode(schedule().settled_ids()); }
  std::string decode(const TokenIds& ids) const { return tokenizer_.decode(ids); }
  TokenIds encode(std::string_view text) const { return tokenizer_.encode(text); }
  const StopTable& triggers() const { return triggers_; }

  RunSetup setup;

 private:
  Tokenizer tokenizer_;
  StopTable triggers_;
  std::unique_ptr<Schedule> schedule_;
};

}  // namespace testing
}  // namespace specthink
