#include "schedule/writing.h"

#include <algorithm>
#include <span>

#include "schedule/loops.h"
#include "specthink/base/error.h"

namespace specthink::inline schedule {
namespace {

constexpr std::size_t kTailTokens = 5;

Origin origin_of(Role role) { return role == Role::target ? Origin::target : Origin::draft; }

bool contains_trigger(const std::string& text, const ScheduleSettings& settings) {
  return std::ranges::any_of(settings.trigger_tokens,
                             [&](const std::string& trigger) { return text.find(trigger) != std::string::npos; });
}

/// Mode vllm: both models have one tokenizer and continue the same ids.
class SharedIds : public Writing {
 public:
  explicit SharedIds(RunState& run) : run_(run) {}

  RunState::Answer ask_segment() override {
    return run_.ask({.purpose = Purpose::segment, .max_tokens = kSegmentTokens, .stops = run_.setup().triggers});
  }

  bool append_segment(const TokenIds& segment, bool) override {
    run_.append(segment, Origin::draft);
    const auto tail = std::span(segment).last(std::min(kTailTokens, segment.size()));
    return contains_trigger(run_.decode(tail), run_.settings());
  }

  RunState::Answer ask(Purpose purpose, int max_tokens) override { return run_.ask(purpose, max_tokens); }
  std::string text_of(const TokenIds& ids, Role) const override { return run_.decode(ids); }
  void append(const TokenIds& ids, Role role) override { run_.append(ids, origin_of(role)); }
  void inject(const std::string& words) override { run_.inject(run_.setup().tokenizer->encode(words)); }

 protected:
  RunState& run_;
};

/// Mode hf: the draft writes single tokens, and only the last one is searched for a trigger.
class SingleTokens final : public SharedIds {
 public:
  using SharedIds::SharedIds;
  RunState::Answer ask_segment() override { return run_.ask(Purpose::segment, 1); }
};

/// Mode vllm_p: tokenizers differ, so that what the models share is text. Each request is the whole text in the ids of
/// the model that it goes to; what its cache holds is the part whose ids have not changed.
class SharedText final : public Writing {
 public:
  explicit SharedText(RunState& run) : run_(run), text_(run.setup().prompt_text) {}

  RunState::Answer ask_segment() override {
    return run_.ask_after(Purpose::segment, kSegmentTokens, ids_for(Role::draft), run_.setup().triggers);
  }

  // The trigger that ended the segment gives way to an empty line, whatever it was.
  bool append_segment(const TokenIds& segment, bool at_end) override {
    std::string text = text_of(segment, Role::draft);
    if (!at_end) {
      std::size_t end = text.size();
      for (const std::string& trigger : run_.settings().trigger_tokens) end = std::min(end, text.find(trigger));
      text.resize(end);
      text += "\n\n";
    }
    add(segment, text, Origin::draft);
    return contains_trigger(text, run_.settings());
  }

  RunState::Answer ask(Purpose purpose, int max_tokens) override {
    return run_.ask_after(purpose, max_tokens, ids_for(role_of(purpose)), /*stops=*/nullptr);
  }

  std::string text_of(const TokenIds& ids, Role role) const override { return tokenizer(role).decode(ids); }

  void append(const TokenIds& ids, Role role) override { add(ids, text_of(ids, role), origin_of(role)); }

  void inject(const std::string& words) override {
    run_.inject(tokenizer(Role::target).encode(words));
    text_ += words;
    if (!words.empty()) run_.append_text({words, Origin::injected});
  }

 private:
  const Tokenizer& tokenizer(Role role) const {
    return role == Role::target ? *run_.setup().tokenizer : *run_.setup().draft_tokenizer;
  }

  TokenIds ids_for(Role role) const { return tokenizer(role).encode_with_start(text_); }

  void add(const TokenIds& ids, const std::string& text, Origin origin) {
    run_.append(ids, origin);
    text_ += text;
    run_.append_text({text, origin});
  }

  RunState& run_;
  std::string text_;  // prompt included
};

}  // namespace

std::unique_ptr<Writing> make_writing(RunState& run) {
  switch (run.settings().mode) {
    case Mode::vllm:
      return std::make_unique<SharedIds>(run);
    case Mode::vllm_p:
      return std::make_unique<SharedText>(run);
    case Mode::hf:
      return std::make_unique<SingleTokens>(run);
  }
  throw InternalError("unknown mode");
}

}  // namespace specthink::inline schedule
