// How the byte-level tokenizer of a GGUF file cuts a text into words: its merges do not cross their ends.
#include "specthink/text/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/gguf/gguf_bytes.h"
#include "model/gguf/gguf_config.h"
#include "model/model_files.h"

namespace specthink {
namespace {

using test::GgufBytes;
using test::TemporaryFolder;

/// The tokens of a text, a '|' between them, of a tokenizer of this name that would merge whatever it may.
std::string cut(const std::string& pre, const std::string& text) {
  const std::vector<std::string> tokens{"a",  "1",  "2",  "Ċ",  "Ġ",  ".",   "!",   "12", "Ġa", "Ċa",
                                        "ĊĊ", "a1", "Ġ1", "Ġ.", ".!", "Ġ.!", "Ġ12", "a.", ".Ċ"};
  GgufBytes file;
  file.words("general.architecture", "llama").words("tokenizer.ggml.model", "gpt2").words("tokenizer.ggml.pre", pre);
  file.list("tokenizer.ggml.tokens", tokens)
      .list("tokenizer.ggml.merges",
            {"1 2", "Ġ a", "Ċ a", "Ċ Ċ", "a 1", "Ġ 1", "Ġ .", ". !", "Ġ. !", "Ġ 12", "a .", ". Ċ"})
      .numbers<std::int32_t>("tokenizer.ggml.token_type", std::vector<std::int32_t>(tokens.size(), 1));
  const TemporaryFolder folder;
  folder.write("model.gguf", file.bytes());
  const std::string json = gguf::tokenizer(gguf::GgufFile(folder.path() / "model.gguf")).dump();
  const Tokenizer tokenizer = Tokenizer::parse(json, "", "test");
  std::string result;
  for (const TokenId id : tokenizer.encode(text)) {
    result += (result.empty() ? "" : "|") + tokens[static_cast<std::size_t>(id)];
  }
  return result;
}

// As Hugging Face tokenizers cuts it by these rules.
TEST(gguf_tokenizer, words_end_where_the_tokenizer_of_that_name_ends_them) {
  const std::string text = "a12 12\n\na .!\n";
  EXPECT_EQ(cut("gpt-2", text), "a|12|Ġ12|Ċ|Ċ|a|Ġ.!|Ċ");
  EXPECT_EQ(cut("llama-bpe", text), "a|12|Ġ|12|ĊĊ|a|Ġ.!|Ċ");
  EXPECT_EQ(cut("qwen2", text), "a|1|2|Ġ|1|2|ĊĊ|a|Ġ.!|Ċ");
  for (const char* pre : {"smollm", "starcoder", "refact"}) {
    EXPECT_EQ(cut(pre, text), "a|1|2|Ġ|1|2|Ċ|Ċ|a|Ġ.!|Ċ") << pre;
  }
  EXPECT_EQ(cut("deepseek-coder", text), "a|1|2|Ġ|1|2|Ċ|Ċ|a|Ġ.!|Ċ");
  // A line end begins no word, and ends none.
  EXPECT_EQ(cut("llama-bpe", "a.\n"), "a|.Ċ");
  EXPECT_EQ(cut("deepseek-coder", "a.\n"), "a|.|Ċ");
}

}  // namespace
}  // namespace specthink
