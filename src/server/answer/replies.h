// Answers as JSON objects of the OpenAI API, with what it has no field for in objects named specthink.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/answer/choice_text.h"
#include "server/api/completion_request.h"
#include "specthink/base/json.h"
#include "specthink/schedule/ledger.h"

namespace specthink::inline server {

/// What a choice has come to.
struct ChoiceRecord {
  std::string thought;
  std::string answer;
  std::vector<std::pair<Origin, std::size_t>> origins;  ///< characters of each piece, thought and answer together
  std::string finish_reason;                            ///< empty: not yet
  std::optional<std::string> stop_reason;
  Json logprobs;  ///< of the tokens; in a stream of those after the last part
};

struct UsageRecord {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  Ledger ledger;
};

class ReplyWriter {
 public:
  explicit ReplyWriter(const CompletionRequest& request);

  std::string whole(const std::vector<ChoiceRecord>& choices, const UsageRecord& usage) const;

  // Events of a stream.
  std::string first(std::size_t choice) const;  ///< who speaks
  std::string part(std::size_t choice, const Delta& delta, const Json& logprobs) const;
  std::string last(std::size_t choice, const ChoiceRecord& record) const;
  std::string usage(const UsageRecord& usage) const;  ///< empty where it was not asked for
  static std::string done() { return "data: [DONE]\n\n"; }
  static std::string error(const std::string& body) { return "data: " + body + "\n\n"; }

 private:
  std::string event(const std::string& choices) const;

  Endpoint endpoint_;
  bool includes_usage_;
  std::string id_;
  std::int64_t created_;
  std::string model_;
  std::string head_;  // of each event, up to its choices
};

const char* name_of(Origin origin);

}  // namespace specthink::inline server
