// The body of /v1/chat/completions and /v1/completions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/fields.h"
#include "specthink/server/run_request.h"

namespace specthink::inline server {

enum class Endpoint { chat, completions };

struct CompletionRequest {
  Endpoint endpoint = Endpoint::chat;
  std::string model;             ///< the name that it is answered under
  std::vector<RunRequest> runs;  ///< one for each prompt
  int n = 1;                     ///< answers to each
  std::optional<std::uint64_t> seed;
  SamplingParams sampling{};
  std::vector<std::string> stop;
  bool stream = false;
  bool include_usage = false;  ///< in a stream
  bool logprobs = false;       ///< of the tokens of the answers
};

/// `defaults`: what holds where a request says nothing. Throws BadRequest.
CompletionRequest parse_completion(Endpoint endpoint, std::string_view body, std::span<const ServedModel> models,
                                   const SamplingParams& defaults);

}  // namespace specthink::inline server
