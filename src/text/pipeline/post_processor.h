// The "post_processor" of a tokenizer.json: the special tokens around a text.
#pragma once

#include <optional>

#include "specthink/base/types.h"
#include "text/json_view.h"

namespace specthink::inline text {

struct SpecialFrame {
  TokenIds before;
  TokenIds after;
};

/// What stands before and behind a single text. TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel (adds
/// nothing) and Sequences of them; throws UserError for others.
SpecialFrame read_post_processor(const std::optional<JsonView>& view);

}  // namespace specthink::inline text
