// Tokenizers of folders whose tokens are spread over several files, against what transformers makes of them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "specthink/base/file.h"
#include "text/text_fixtures.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

using testing::tokenizer_json;
using testing::user_error;

class tokenizer_files : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / fmt::format("tokenizer_files_{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Json& content) {
    write_file_atomically(folder_ / name, content.is_string() ? content.get<std::string>() : content.dump());
  }

  // vocab.json and merges.txt of llama_style.
  void write_old_format(const std::string& tokenizer_class) {
    const Json model = tokenizer_json("llama_style")["model"];
    std::string merges = "#version: 0.2\n";
    for (const Json& merge : model["merges"]) {
      merges += merge.is_string() ? merge.get<std::string>()
                                  : merge[0].get<std::string>() + " " + merge[1].get<std::string>();
      merges += "\n";
    }
    write("vocab.json", model["vocab"]);
    write("merges.txt", merges);
    write("tokenizer_config.json", {{"tokenizer_class", tokenizer_class}, {"eos_token", "<|im_end|>"}});
  }

  fs::path folder_;
};

TEST_F(tokenizer_files, folders_of_the_reference_library) {
  std::size_t checked = 0;
  for (const Json& item : testing::read_lines(testing::fixtures() / "folders.jsonl")) {
    SCOPED_TRACE(item["name"]);
    for (const auto& entry : fs::directory_iterator(folder_)) fs::remove(entry.path());
    for (const auto& [name, content] : item["files"].items()) {
      if (name != "tokenizer" && !content.is_null()) write(name + ".json", content);
    }
    Json tokenizer_file = tokenizer_json("llama_style");
    tokenizer_file["post_processor"] = nullptr;
    tokenizer_file.update(item["files"]["tokenizer"]);
    write("tokenizer.json", tokenizer_file);

    const Tokenizer tokenizer = Tokenizer::load(folder_);
    const auto ids = item["ids"].get<TokenIds>();
    EXPECT_EQ(tokenizer.encode(item["text"].get<std::string>()), ids);
    EXPECT_EQ(tokenizer.decode(ids), item["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer.decode(ids, /*skip_special_tokens=*/true), item["decoded_skip_special"].get<std::string>());
    const Json eos = tokenizer.eos_token_id() ? Json(*tokenizer.eos_token_id()) : Json();
    EXPECT_EQ(eos, item["eos_token_id"]);
    ++checked;
  }
  EXPECT_EQ(checked, 7u);
}

// Ids of transformers 5.24's AutoTokenizer.
TEST_F(tokenizer_files, vocabulary_and_merges_without_tokenizer_json) {
  const std::string text = "Wait, it's 1234 é<|endoftext|> e\u0301<|im_end|>";
  write_old_format("Qwen2Tokenizer");
  EXPECT_TRUE(Tokenizer::is_in(folder_));
  EXPECT_EQ(Tokenizer::load(folder_).encode(text),
            (TokenIds{317, 276, 11, 220, 276, 267, 220, 16, 17, 18, 19, 220, 282, 405, 220, 282, 404}));
  write_old_format("GPT2TokenizerFast");
  EXPECT_EQ(Tokenizer::load(folder_).encode(text),
            (TokenIds{317, 276, 11, 220, 276, 267, 220, 269, 18, 19, 220, 282, 404, 220, 68, 136, 223, 405}));
  write("tokenizer_config.json", {{"eos_token", "<|im_end|>"}});
  write("config.json", {{"model_type", "qwen3"}});
  EXPECT_EQ(Tokenizer::load(folder_).token_id("<|im_end|>"), 404) << "by the model where no class is named";
}

TEST_F(tokenizer_files, what_is_missing_is_named) {
  EXPECT_FALSE(Tokenizer::is_in(folder_));
  write("tokenizer.model", "x");
  const std::string message = user_error([&] { Tokenizer::load(folder_); });
  EXPECT_NE(message.find("tokenizer.json is missing"), std::string::npos) << message;
  EXPECT_NE(message.find("found tokenizer.model"), std::string::npos) << message;

  write_old_format("Qwen2Tokenizer");
  write("merges.txt", "a b\nb nosuch\n");
  EXPECT_NE(user_error([&] { Tokenizer::load(folder_); }).find("vocab.json: model.merges: merge 0"), std::string::npos);
  write_old_format("Qwen2Tokenizer");
  write("added_tokens.json", {{"<x>", "five"}});
  EXPECT_NE(user_error([&] { Tokenizer::load(folder_); }).find("added_tokens.json: expected ids"), std::string::npos);
}

}  // namespace
}  // namespace specthink
