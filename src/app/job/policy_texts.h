// What the policies need of the text side: stop strings, the question of policy score, a recorded share of the target.
#pragma once

#include <functional>
#include <optional>

#include "specthink/config/settings.h"
#include "specthink/engine/engine.h"
#include "specthink/schedule/schedule.h"
#include "specthink/text/chat_template.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline app {

class PolicyTexts {
 public:
  /// Compiles what the chosen policies of the settings need. Throws UserError for a tokenizer or a file that does not
  /// fit them.
  void load(const Settings& settings, const Tokenizer& tokenizer,
            const std::function<const ChatTemplate&()>& chat_template);

  /// Gives the engine the tables that requests stop at.
  void install(Engine& engine) const;

  void add_to(RunSetup& setup) const;

 private:
  void load_question(const ScheduleSettings& settings, const Tokenizer& tokenizer, const ChatTemplate& chat_template);

  std::optional<StopTable> triggers_;
  std::optional<StopTable> cues_;
  std::optional<StopTable> sentence_ends_;
  std::optional<StopTable> step_ends_;
  TokenIds question_;
  TokenIds digits_;
  double match_share_ = 0;
};

/// What the chat template writes between thinking text and the beginning of an answer to `question`, which is
/// `answer_start`. Where the template drops thinking, the question alone.
std::string question_suffix(const ChatTemplate& chat_template, const std::string& question,
                            const std::string& answer_start);

}  // namespace specthink::inline app
