#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "model/gguf/gguf_bytes.h"
#include "model/model_files.h"
#include "specthink/base/json.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/gguf_import.h"
#include "specthink/model/model_config.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::GgufBytes;
using test::TemporaryFolder;

constexpr std::uint64_t kVocab = 6;
constexpr std::uint64_t kHidden = 8;
constexpr std::uint64_t kInner = 12;
constexpr std::uint64_t kHeads = 2;

std::vector<float> counted(std::uint64_t size, float first) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < size; ++i) values.push_back(first + static_cast<float>(i));
  return values;
}

/// A model of one layer with a byte-level tokenizer; `change` comes before the tensors.
GgufBytes small_model(const std::string& name, const std::function<void(GgufBytes&)>& change = {}) {
  GgufBytes file;
  file.words("general.architecture", name)
      .number(name + ".block_count", 1)
      .number(name + ".context_length", 64)
      .number(name + ".embedding_length", kHidden)
      .number(name + ".feed_forward_length", kInner)
      .number(name + ".attention.head_count", kHeads)
      .number(name + ".attention.head_count_kv", 1)
      .real(name + ".rope.freq_base", 5000.0F)
      .real(name + ".attention.layer_norm_rms_epsilon", 1e-5F)
      .words("tokenizer.ggml.model", "gpt2")
      .words("tokenizer.ggml.pre", "qwen2")
      .list("tokenizer.ggml.tokens", {"a", "b", "ab", "Ġ", "<|end|>", "<note>"})
      .numbers<std::int32_t>("tokenizer.ggml.token_type", {1, 1, 1, 1, 3, 4})
      .list("tokenizer.ggml.merges", {"a b"})
      .number("tokenizer.ggml.eos_token_id", 4)
      .words("tokenizer.chat_template", "{{ messages[0].content }}");
  if (change) change(file);
  return file;
}

GgufBytes with_tensors(GgufBytes file, bool bias) {
  const auto add = [&](const std::string& tensor, const std::vector<std::uint64_t>& shape, float first) {
    std::uint64_t size = 1;
    for (const std::uint64_t extent : shape) size *= extent;
    file.floats(tensor, shape, counted(size, first));
  };
  add("token_embd.weight", {kVocab, kHidden}, 0);
  add("blk.0.attn_norm.weight", {kHidden}, 1);
  add("blk.0.attn_q.weight", {kHidden, kHidden}, 100);
  add("blk.0.attn_k.weight", {kHidden / kHeads, kHidden}, 200);
  add("blk.0.attn_v.weight", {kHidden / kHeads, kHidden}, 300);
  if (bias) {
    add("blk.0.attn_q.bias", {kHidden}, 10);
    add("blk.0.attn_k.bias", {kHidden / kHeads}, 20);
    add("blk.0.attn_v.bias", {kHidden / kHeads}, 30);
  }
  add("blk.0.attn_output.weight", {kHidden, kHidden}, 400);
  add("blk.0.ffn_norm.weight", {kHidden}, 2);
  add("blk.0.ffn_gate.weight", {kInner, kHidden}, 500);
  add("blk.0.ffn_up.weight", {kInner, kHidden}, 600);
  add("blk.0.ffn_down.weight", {kHidden, kInner}, 700);
  add("output_norm.weight", {kHidden}, 3);
  return file;
}

class Imported {
 public:
  explicit Imported(const GgufBytes& file, DType dtype = DType::float32) {
    folder_.write("model.gguf", file.bytes());
    result = import_gguf(folder_.path() / "model.gguf", path(), dtype);
  }
  std::filesystem::path path() const { return folder_.path() / "out"; }
  Json json(const char* name) const { return read_json(path() / name); }
  std::vector<float> values(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const Checkpoint checkpoint = Checkpoint::open(path());
    const StoredTensor& tensor = checkpoint.require(name, shape);
    std::vector<float> values(tensor.bytes.size() / sizeof(float));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  GgufImport result;

 private:
  TemporaryFolder folder_;
};

TEST(gguf_import, makes_a_folder_that_loads) {
  const Imported model(with_tensors(small_model("qwen2"), true));
  EXPECT_EQ(model.result.tensors, 14);
  const ModelConfig config = ModelConfig::load(model.path());
  EXPECT_EQ(config.model_type, "qwen2");
  EXPECT_EQ(config.vocab_size, 6);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.num_kv_heads, 1);
  EXPECT_EQ(config.rope.theta, 5000);
  EXPECT_EQ(config.rms_norm_eps, 1e-5) << "the shortest decimal of the float";
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.eos_ids, TokenIds{4});
  EXPECT_EQ(model.values("model.layers.0.self_attn.q_proj.weight", {8, 8}), counted(64, 100));
  EXPECT_EQ(model.values("model.layers.0.self_attn.k_proj.bias", {4}), counted(4, 20));

  const Json tokenizer = model.json("tokenizer.json");
  EXPECT_EQ(tokenizer["model"]["vocab"], (Json{{"a", 0}, {"b", 1}, {"ab", 2}, {"Ġ", 3}}));
  EXPECT_EQ(tokenizer["model"]["merges"], Json::parse(R"([["a", "b"]])"));
  EXPECT_EQ(tokenizer["normalizer"]["type"], "NFC");
  ASSERT_EQ(tokenizer["added_tokens"].size(), 2u);
  EXPECT_TRUE(tokenizer["added_tokens"][0]["special"].get<bool>());
  EXPECT_FALSE(tokenizer["added_tokens"][1]["special"].get<bool>());
  EXPECT_EQ(model.json("tokenizer_config.json")["chat_template"], "{{ messages[0].content }}");
  EXPECT_EQ(model.json("tokenizer_config.json")["eos_token"], "<|end|>");
}

// Llama files have the two halves of a head interleaved: rows 0, 2, 1, 3 of each head of four.
TEST(gguf_import, puts_the_rows_of_llama_heads_back) {
  const Imported model(with_tensors(small_model("llama"), false));
  const std::vector<float> rows = model.values("model.layers.0.self_attn.q_proj.weight", {8, 8});
  for (const auto& [row, stored] : std::vector<std::pair<std::size_t, float>>{{0, 0}, {1, 2}, {2, 1}, {3, 3}, {5, 6}}) {
    EXPECT_EQ(rows[row * 8], 100 + stored * 8) << "row " << row;
  }
  EXPECT_EQ(model.values("model.layers.0.self_attn.v_proj.weight", {4, 8}), counted(32, 300));
}

TEST(gguf_import, writes_16_bit_types) {
  const Imported model(with_tensors(small_model("llama"), false), DType::bfloat16);
  const Checkpoint checkpoint = Checkpoint::open(model.path());
  EXPECT_EQ(checkpoint.require("model.norm.weight", {8}).type, StoredType::bfloat16);
  EXPECT_EQ(model.json("config.json")["torch_dtype"], "bfloat16");
  EXPECT_EQ(model.result.bytes, 2 * (6 * 8 + 8 + 64 + 32 + 32 + 64 + 8 + 96 + 96 + 96 + 8));
}

TEST(gguf_import, sentence_piece_models_become_merges_by_score) {
  const auto pieces = [](GgufBytes& file) {
    file.words("general.architecture", "llama").words("tokenizer.ggml.model", "llama");
  };
  GgufBytes file;
  pieces(file);
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::uint32_t>>{{"block_count", 1},
                                                                                     {"context_length", 64},
                                                                                     {"embedding_length", kHidden},
                                                                                     {"feed_forward_length", kInner},
                                                                                     {"attention.head_count", kHeads},
                                                                                     {"attention.head_count_kv", 1}}) {
    file.number("llama." + key, value);
  }
  file.list("tokenizer.ggml.tokens", {"<s>", "▁", "a", "▁a", "b", "▁ab"})
      .numbers<float>("tokenizer.ggml.scores", {0, -3, -4, -1, -5, -2})
      .numbers<std::int32_t>("tokenizer.ggml.token_type", {3, 1, 1, 1, 1, 1})
      .number("tokenizer.ggml.bos_token_id", 0);
  const Imported model(with_tensors(file, false));
  const Json tokenizer = model.json("tokenizer.json");
  EXPECT_EQ(tokenizer["model"]["merges"], Json::parse(R"([["▁", "a"], ["▁a", "b"]])"));
  EXPECT_TRUE(tokenizer["model"]["byte_fallback"].get<bool>());
  EXPECT_EQ(tokenizer["post_processor"]["special_tokens"]["<s>"]["ids"], Json::array({0}));
  EXPECT_TRUE(model.json("tokenizer_config.json")["add_bos_token"].get<bool>());
}

void expect_refused(const std::string& bytes, const std::vector<std::string>& message) {
  const TemporaryFolder folder;
  const auto path = folder.write("model.gguf", bytes);
  expect_user_error([&] { import_gguf(path, folder.path() / "out", DType::float32); }, message);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.partial")) << "nothing half written is left";
}

TEST(gguf_import, files_that_are_cut_short_are_refused_wherever_they_end) {
  const std::string whole = with_tensors(small_model("qwen2"), true).bytes();
  for (std::size_t length = 0; length < whole.size(); length += length < 1600 ? 7 : 211) {
    SCOPED_TRACE(length);
    expect_refused(whole.substr(0, length), {"model.gguf"});
  }
}

TEST(gguf_import, malformed_files_are_user_errors) {
  const auto model = [](const std::function<void(GgufBytes&)>& change) {
    return with_tensors(small_model("qwen2", change), true).bytes();
  };
  const std::string whole = with_tensors(small_model("qwen2"), true).bytes();
  expect_refused("GGML" + whole.substr(4), {"not a GGUF file"});
  expect_refused(with_tensors(small_model("qwen2"), true).bytes(1), {"version", "1"});
  expect_refused(with_tensors(small_model("gpt-j"), true).bytes(), {"\"gpt-j\"", "qwen2"});
  expect_refused(model([](GgufBytes& file) { file.number("general.alignment", 24); }), {"alignment", "24"});
  expect_refused(model([](GgufBytes& file) { file.number("split.count", 3); }), {"3 parts"});
  expect_refused(model([](GgufBytes& file) { file.number("qwen2.block_count", 1); }), {"twice"});
  expect_refused(model([](GgufBytes& file) { file.add("x", 99, ""); }), {"x", "99"});
  expect_refused(model([](GgufBytes& file) { file.add("x", 8, GgufBytes::raw(std::uint64_t{1} << 60)); }),
                 {"cut short"});
  expect_refused(model([](GgufBytes& file) {
                   file.add("x", 9, GgufBytes::raw<std::uint32_t>(4) + GgufBytes::raw(std::uint64_t{1} << 61));
                 }),
                 {"the length of x"});
  expect_refused(model([](GgufBytes& file) { file.add("x", 8, GgufBytes::text("\xFF")); }), {"UTF-8"});
}

TEST(gguf_import, malformed_tensors_are_user_errors) {
  const auto added = [](const auto& add) {
    GgufBytes file = with_tensors(small_model("qwen2"), true);
    add(file);
    return file.bytes();
  };
  expect_refused(added([](GgufBytes& file) { file.tensor("odd", {32}, 10, std::string(84, 'x')); }),
                 {"\"odd\"", "256", "Q2_K"});
  expect_refused(added([](GgufBytes& file) { file.tensor("odd", {256}, 10, std::string(84, 'x')); }),
                 {"\"odd\"", "Q2_K is not supported", "Q4_K"});
  expect_refused(added([](GgufBytes& file) { file.tensor("odd", {4}, 77, "xxxx"); }), {"\"odd\"", "number 77"});
  expect_refused(added([](GgufBytes& file) { file.entry("odd", {4}, 0, 3, ""); }), {"\"odd\"", "multiple of 32", "3"});
  expect_refused(added([](GgufBytes& file) { file.entry("odd", {4}, 0, 32, ""); }), {"\"odd\"", "inside"});
  expect_refused(added([](GgufBytes& file) { file.entry("odd", {4}, 0, 1 << 20, ""); }), {"\"odd\"", "cut short"});
  expect_refused(added([](GgufBytes& file) {
                   file.entry("odd", {std::uint64_t{1} << 40, std::uint64_t{1} << 40}, 0, 1 << 20, "");
                 }),
                 {"\"odd\""});
  expect_refused(added([](GgufBytes& file) { file.floats("blk.0.ffn_gate_exps.weight", {4}, counted(4, 0)); }),
                 {"ffn_gate_exps", "not supported"});
  expect_refused(added([](GgufBytes& file) { file.floats("output_norm.weight", {8}, counted(8, 0)); }), {"twice"});
  expect_refused(small_model("qwen2").bytes(), {"token_embd.weight"});
  expect_refused(with_tensors(small_model("qwen2"), false).bytes(), {"q_proj.bias"});
}

TEST(gguf_import, tokenizers_that_do_not_fit_together_are_user_errors) {
  const auto model = [](const std::vector<std::string>& merges, const std::vector<std::int32_t>& kinds,
                        const std::string& pre, std::uint32_t eos) {
    GgufBytes file;
    file.words("general.architecture", "qwen2");
    for (const char* key : {"block_count", "context_length", "attention.head_count", "attention.head_count_kv"}) {
      file.number(std::string("qwen2.") + key, 1);
    }
    file.number("qwen2.embedding_length", kHidden).number("qwen2.feed_forward_length", kInner);
    file.words("tokenizer.ggml.model", "gpt2").words("tokenizer.ggml.pre", pre);
    file.list("tokenizer.ggml.tokens", {"a", "b", "ab", "c", "d", "e"}).list("tokenizer.ggml.merges", merges);
    file.numbers<std::int32_t>("tokenizer.ggml.token_type", kinds).number("tokenizer.ggml.eos_token_id", eos);
    return with_tensors(file, true).bytes();
  };
  const std::vector<std::int32_t> kinds(6, 1);
  expect_refused(model({"a b", "b c"}, kinds, "qwen2", 1), {"merges, entry 1", "b c"});
  expect_refused(model({"ab"}, kinds, "qwen2", 1), {"merges, entry 0", "ab"});
  expect_refused(model({"a b"}, {1, 1}, "qwen2", 1), {"token_type", "6", "2 values"});
  expect_refused(model({"a b"}, kinds, "chameleon", 1), {"tokenizer.ggml.pre", "chameleon", "llama-bpe"});
  expect_refused(model({"a b"}, kinds, "qwen2", 6), {"eos_token_id", "6"});
}

TEST(gguf_import, takes_a_new_folder_only) {
  const TemporaryFolder folder;
  const auto path = folder.write("model.gguf", with_tensors(small_model("qwen2"), true).bytes());
  folder.write("full/notes.txt", "mine");
  expect_user_error([&] { import_gguf(path, folder.path() / "full", DType::float32); }, {"full", "new folder"});
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "full" / "notes.txt"));
  std::filesystem::create_directory(folder.path() / "empty");
  import_gguf(path, folder.path() / "empty", DType::float32);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "empty" / "config.json"));
}

}  // namespace
}  // namespace specthink
