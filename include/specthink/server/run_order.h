// A run as one group of ranks asks another one for it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "specthink/base/json.h"
#include "specthink/base/sampling_params.h"
#include "specthink/base/types.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline server {

struct RunOrder {
  std::optional<Role> alone;  ///< the only model that writes
  TokenIds prompt;
  std::string prompt_text;
  int max_tokens = 0;
  bool ignore_eos = false;
  bool logprobs = false;           ///< of the tokens that are written
  Json schedule = Json::object();  ///< settings of the thinking schedule by their YAML keys
  SamplingParams sampling{};
  DrawKey draw{};
};

/// The run of an order that was found to be good when it was made.
using MakeRun = std::function<RunSetup(const RunOrder&)>;

}  // namespace specthink::inline server
