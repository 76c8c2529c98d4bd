// What a client asks for, as far as it concerns the models.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "specthink/base/sampling_params.h"
#include "specthink/base/types.h"
#include "specthink/server/run_order.h"
#include "specthink/text/chat_template.h"

namespace specthink::inline server {

/// A model that clients choose by name.
struct ServedModel {
  std::string name;
  std::optional<Role> alone;  ///< none: the schedule over both models
};

/// One prompt and how it is to be answered. Of messages, text and ids one is given.
struct RunRequest {
  std::optional<Role> alone;  ///< the only model that writes
  OrderedJson messages;
  OrderedJson chat_template_kwargs = OrderedJson::object();
  std::optional<std::string> text;
  std::optional<TokenIds> ids;
  OrderedJson schedule = OrderedJson::object();  ///< settings of the thinking schedule by their YAML keys
  std::optional<int> max_tokens;                 ///< none: as many as settings and context allow
  bool ignore_eos = false;
  bool logprobs = false;  ///< of the tokens that are written
};

struct PreparedRun {
  RunOrder order;                        ///< but for sampling and draw
  const Tokenizer* tokenizer = nullptr;  ///< of the ids that the run writes; null: they are of two tokenizers
  bool begins_in_thought = false;        ///< the prompt ends with an open <think>
};

/// Makes a run of a request; throws UserError for one that cannot be. Not on the thread that drives the engine.
using PrepareRun = std::function<PreparedRun(const RunRequest&)>;

}  // namespace specthink::inline server
