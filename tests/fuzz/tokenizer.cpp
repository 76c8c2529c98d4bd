// Any bytes as a tokenizer.json; a tokenizer that is accepted encodes and decodes a fixed text.
#include "specthink/text/tokenizer.h"

#include "fuzz/input.h"
#include "specthink/base/strings.h"

using namespace specthink;

namespace {

constexpr std::string_view kText =
    "Wait, the answer is 1234, isn't it?\n\n  Let me  check:\r\n\t\\boxed{12} e\u0301 \u00e9 \u4e2d\u6587 \U0001f642"
    "<|end|><think>\xE2\x82 \xFF|>";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::allow_user_error([&] {
    const Tokenizer tokenizer = Tokenizer::parse(text, R"({"eos_token": "<|end|>"})", "tokenizer.json");
    const TokenIds ids = tokenizer.encode(kText);
    for (const TokenId id : ids) {
      check(id >= 0 && static_cast<std::size_t>(id) < tokenizer.size(), "an id is below the size");
      static_cast<void>(tokenizer.bytes(id));
    }
    for (const bool skip_special : {false, true}) {
      const std::string decoded = tokenizer.decode(ids, skip_special);
      check(valid_utf8_prefix(decoded) == decoded.size(), "decoded text is UTF-8");
    }
    check(tokenizer.base_difference(tokenizer).empty(), "a tokenizer differs from itself in nothing");
  });
  return 0;
}
