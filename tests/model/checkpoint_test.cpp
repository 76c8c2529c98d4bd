#include "specthink/model/checkpoint.h"

#include <gtest/gtest.h>

#include "model/model_files.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::safetensors_bytes;
using test::TemporaryFolder;

// A file with one float16 tensor of two elements for each name; the bytes of a tensor are its name's first letter.
std::string shard(const std::vector<std::string>& names) {
  std::string header;
  std::string data;
  for (const std::string& name : names) {
    header += fmt::format(R"({}"{}": {{"dtype": "F16", "shape": [2], "data_offsets": [{}, {}]}})",
                          header.empty() ? "" : ", ", name, data.size(), data.size() + 4);
    data += std::string(4, name[0]);
  }
  return safetensors_bytes("{" + header + "}", data);
}

char first_byte(const StoredTensor& tensor) { return static_cast<char>(tensor.bytes[0]); }

constexpr const char* kIndex = "model.safetensors.index.json";

TEST(checkpoint, reads_a_single_file) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", shard({"a", "b"}));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_EQ(checkpoint.folder(), folder.path());
  EXPECT_TRUE(checkpoint.contains("a"));
  EXPECT_FALSE(checkpoint.contains("c"));
  EXPECT_EQ(first_byte(checkpoint.require("b", {2})), 'b');
}

TEST(checkpoint, reads_shards_through_the_index) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", shard({"a", "b"}));
  folder.write("two.safetensors", shard({"c", "not in the index"}));
  folder.write(kIndex, R"({"metadata": {"total_size": 12},
    "weight_map": {"c": "two.safetensors", "a": "one.safetensors", "b": "one.safetensors"}})");
  Checkpoint opened = Checkpoint::open(folder.path());
  const StoredTensor& before = opened.require("a", {2});
  const Checkpoint checkpoint = std::move(opened);
  EXPECT_EQ(&before, &checkpoint.require("a", {2})) << "a move must not invalidate tensors";
  EXPECT_EQ(first_byte(checkpoint.require("b", {2})), 'b');
  EXPECT_EQ(first_byte(checkpoint.require("c", {2})), 'c');
  EXPECT_TRUE(checkpoint.contains("not in the index")) << "the index need not name every tensor of its files";
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b", "c", "not in the index"}));
}

TEST(checkpoint, prefers_the_single_file_to_the_index) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", shard({"a"}));
  folder.write(kIndex, R"({"weight_map": {"b": "missing.safetensors"}})");
  EXPECT_TRUE(Checkpoint::open(folder.path()).contains("a"));
}

// The hub cache keeps the files in blobs/ and links to them from snapshots/REVISION.
TEST(checkpoint, follows_links_of_the_hub_cache) {
  const TemporaryFolder folder;
  folder.write("blobs/123", shard({"a"}));
  folder.write("blobs/456", R"({"weight_map": {"a": "model-00001.safetensors"}})");
  const auto snapshot = folder.path() / "snapshots" / "abc";
  std::filesystem::create_directories(snapshot);
  std::filesystem::create_symlink("../../blobs/123", snapshot / "model-00001.safetensors");
  std::filesystem::create_symlink("../../blobs/456", snapshot / kIndex);
  EXPECT_EQ(first_byte(Checkpoint::open(snapshot).require("a", {2})), 'a');
}

TEST(checkpoint, wrong_shapes_and_missing_tensors_are_named) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", shard({"a"}));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  expect_user_error([&] { checkpoint.require("a", {1, 2}); }, {"model.safetensors", "\"a\"", "[1,2]", "[2]"});
  expect_user_error([&] { checkpoint.require("a", {}); }, {"\"a\"", "[]", "[2]"});
  expect_user_error([&] { checkpoint.require("b", {7, 3}); }, {folder.path().string(), "\"b\"", "[7,3]"});
}

TEST(checkpoint, an_unsupported_type_is_an_error_when_required) {
  const TemporaryFolder folder;
  folder.write("model.safetensors",
               safetensors_bytes(R"({"a": {"dtype": "F8_E5M2", "shape": [2], "data_offsets": [0, 2]}})", "xx"));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_TRUE(checkpoint.contains("a"));
  expect_user_error([&] { checkpoint.require("a", {2}); }, {"model.safetensors", "\"a\"", "F8_E5M2"});
}

TEST(checkpoint, a_folder_without_weights_is_named) {
  const TemporaryFolder folder;
  folder.write("pytorch_model.bin", "");
  expect_user_error([&] { Checkpoint::open(folder.path()); }, {folder.path().string(), "model.safetensors", kIndex});
}

TEST(checkpoint, missing_shards_and_tensors_are_named) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", shard({"a"}));
  folder.write(kIndex, R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  expect_user_error([&] { Checkpoint::open(folder.path()); }, {kIndex, "\"two.safetensors\"", "missing"});
  folder.write("two.safetensors", shard({"c"}));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());  // a promise counts where the tensor is needed
  expect_user_error([&] { checkpoint.require("b", {2}); }, {"two.safetensors", "\"b\"", "promises"});
}

TEST(checkpoint, of_two_files_with_a_tensor_the_one_that_the_index_names_counts) {
  for (const char* file : {"one.safetensors", "two.safetensors"}) {
    const TemporaryFolder folder;
    folder.write("one.safetensors", shard({"a", "b"}));
    folder.write("two.safetensors", shard({"a", "c"}));
    folder.write(kIndex, R"({"weight_map": {"b": "one.safetensors", "c": "two.safetensors", "a": ")" +
                             std::string(file) + "\"}}");
    EXPECT_EQ(Checkpoint::open(folder.path()).require("a", {2}).file->path().filename(), file);
  }
}

TEST(checkpoint, dangling_links_are_missing_files) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("../gone", folder.path() / "one.safetensors");
  folder.write(kIndex, R"({"weight_map": {"a": "one.safetensors"}})");
  expect_user_error([&] { Checkpoint::open(folder.path()); }, {"\"one.safetensors\"", "missing"});
  std::filesystem::create_symlink("../gone", folder.path() / "model.safetensors");
  expect_user_error([&] { Checkpoint::open(folder.path()); }, {"/model.safetensors"});
}

TEST(checkpoint, shards_outside_the_folder_are_refused) {
  const TemporaryFolder folder;
  folder.write("outside.safetensors", shard({"a"}));
  folder.write("model/below/inside.safetensors", shard({"a"}));
  const auto model = folder.path() / "model";
  for (const std::string& name :
       {std::string("../outside.safetensors"), (folder.path() / "outside.safetensors").string(),
        std::string("below/../../outside.safetensors"), std::string("./../outside.safetensors"),
        std::string("below/inside.safetensors"), std::string(".."), std::string("."), std::string(""),
        std::string(R"(..\\outside.safetensors)"), std::string(R"(a\u0000/../../outside.safetensors)")}) {
    SCOPED_TRACE(name);
    folder.write("model/" + std::string(kIndex), R"({"weight_map": {"a": ")" + name + "\"}}");
    expect_user_error([&] { Checkpoint::open(model); }, {kIndex, "\"a\"", "plain name"});
  }
}

TEST(checkpoint, malformed_indexes_are_user_errors) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", shard({"a"}));
  for (const char* text : {"", "[]", "7", "{", "{}", R"({"weight_map": null})", R"({"weight_map": []})",
                           R"({"weight_map": {}})", R"({"weight_map": {"a": 1}})", R"({"weight_map": {"a": null}})",
                           R"({"weight_map": {"a": ["one.safetensors"]}})", R"({"weight_map": "one.safetensors"})",
                           R"({"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}})"}) {
    SCOPED_TRACE(text);
    folder.write(kIndex, text);
    expect_user_error([&] { Checkpoint::open(folder.path()); }, {(folder.path() / kIndex).string()});
  }
}

}  // namespace
}  // namespace specthink
