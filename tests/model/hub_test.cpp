#include "specthink/model/hub.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "model/model_files.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::TemporaryFolder;

// Each test starts with none of the variables set; the environment is as before afterwards.
class hub : public testing::Test {
 protected:
  hub() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      saved_[name] = value ? std::optional<std::string>(value) : std::nullopt;
      ::unsetenv(name);
    }
    ::setenv("HOME", folder_.path().c_str(), 1);
  }
  ~hub() override {
    for (const auto& [name, value] : saved_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }

  // Puts a model into the cache `cache` (below the temporary folder) and returns its snapshot's folder.
  std::filesystem::path add_model(const std::string& cache, const std::string& folder_name) {
    const std::string model = cache + "/" + folder_name;
    folder_.write(model + "/refs/main", "0123abc");
    return folder_.write(model + "/snapshots/0123abc/config.json", "{}").parent_path();
  }
  std::string below(const std::string& name) const { return (folder_.path() / name).string(); }

  TemporaryFolder folder_;

 private:
  std::map<std::string, std::optional<std::string>> saved_;
};

TEST_F(hub, a_folder_is_returned_as_it_is) {
  folder_.write("some model/config.json", "{}");
  EXPECT_EQ(resolve_model(below("some model")), below("some model"));
}

TEST_F(hub, a_folder_without_the_needed_file_is_named) {
  folder_.write("model/tokenizer.json", "{}");
  expect_user_error([&] { resolve_model(below("model")); }, {below("model"), "config.json"});
  EXPECT_EQ(resolve_model(below("model"), "tokenizer.json"), below("model"));
}

TEST_F(hub, a_file_is_no_model) {
  folder_.write("model.safetensors", "");
  expect_user_error([&] { resolve_model(below("model.safetensors")); }, {below("model.safetensors"), "found a file"});
  const auto gguf = folder_.write("x.gguf", "GGUF");
  expect_user_error([&] { resolve_model(gguf.string()); }, {"x.gguf", "specthink import"});
}

TEST_F(hub, the_older_name_of_the_cache_and_what_paths_may_hold) {
  const auto snapshot = add_model("cache/hub", "models--acme--tiny");
  const auto found_with = [&](const char* name, const std::string& value) {
    ::setenv(name, value.c_str(), 1);
    const auto folder = resolve_model("acme/tiny");
    ::unsetenv(name);
    return folder == snapshot;
  };
  ::setenv("SPECTHINK_TEST_BASE", below("cache").c_str(), 1);
  EXPECT_TRUE(found_with("HUGGINGFACE_HUB_CACHE", below("cache/hub")));
  EXPECT_TRUE(found_with("HUGGINGFACE_HUB_CACHE", "~/cache/hub"));
  EXPECT_TRUE(found_with("HF_HOME", "$SPECTHINK_TEST_BASE"));
  EXPECT_TRUE(found_with("HF_HUB_CACHE", "${SPECTHINK_TEST_BASE}/hub"));
  ::setenv("HF_HUB_CACHE", "$SPECTHINK_TEST_NOTHING/hub", 1);
  expect_user_error([&] { resolve_model("acme/tiny"); }, {"$SPECTHINK_TEST_NOTHING/hub"});
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("SPECTHINK_TEST_BASE");
}

TEST_F(hub, the_cache_is_found_through_each_variable_in_order) {
  const auto in_home = add_model(".cache/huggingface/hub", "models--Qwen--Qwen3-32B");
  EXPECT_EQ(resolve_model("Qwen/Qwen3-32B"), in_home);

  const auto in_xdg = add_model("xdg/huggingface/hub", "models--Qwen--Qwen3-32B");
  ::setenv("XDG_CACHE_HOME", below("xdg").c_str(), 1);
  EXPECT_EQ(resolve_model("Qwen/Qwen3-32B"), in_xdg);

  const auto in_hf_home = add_model("hf/hub", "models--Qwen--Qwen3-32B");
  ::setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(resolve_model("Qwen/Qwen3-32B"), in_hf_home);

  const auto in_cache = add_model("cache", "models--Qwen--Qwen3-32B");
  ::setenv("HF_HUB_CACHE", below("cache").c_str(), 1);
  EXPECT_EQ(resolve_model("Qwen/Qwen3-32B"), in_cache);

  ::setenv("HF_HUB_CACHE", "", 1);
  EXPECT_EQ(resolve_model("Qwen/Qwen3-32B"), in_hf_home) << "an empty variable counts as unset";
}

TEST_F(hub, names_without_an_organisation_are_found) {
  const auto snapshot = add_model(".cache/huggingface/hub", "models--gpt2");
  EXPECT_EQ(resolve_model("gpt2"), snapshot);
}

TEST_F(hub, a_missing_model_tells_how_to_get_it) {
  ::setenv("HF_HOME", below("hf").c_str(), 1);
  expect_user_error([] { resolve_model("Qwen/Qwen3-32B"); },
                    {"Qwen/Qwen3-32B", below("hf/hub"), "`hf download Qwen/Qwen3-32B`", "HF_HOME"});
}

TEST_F(hub, an_unfinished_download_tells_how_to_complete_it) {
  const auto snapshot = add_model(".cache/huggingface/hub", "models--a--b");
  std::filesystem::remove(snapshot / "config.json");
  expect_user_error([] { resolve_model("a/b"); }, {snapshot.string(), "config.json", "`hf download a/b`"});
  std::filesystem::remove_all(snapshot);
  expect_user_error([] { resolve_model("a/b"); }, {snapshot.string(), "missing", "`hf download a/b`"});
}

TEST_F(hub, the_revision_may_end_in_a_newline) {
  const auto snapshot = add_model(".cache/huggingface/hub", "models--a--b");
  folder_.write(".cache/huggingface/hub/models--a--b/refs/main", "0123abc\n");
  EXPECT_EQ(resolve_model("a/b"), snapshot);
}

TEST_F(hub, a_revision_cannot_lead_elsewhere) {
  const std::string model = ".cache/huggingface/hub/models--a--b";
  add_model(".cache/huggingface/hub", "models--a--b");
  folder_.write("elsewhere/config.json", "{}");
  for (const std::string& revision : {std::string("../../../../../elsewhere"), below("elsewhere"), std::string(".."),
                                      std::string(""), std::string("\n"), std::string("a\0b", 3)}) {
    SCOPED_TRACE(revision);
    const auto ref = folder_.write(model + "/refs/main", revision);
    expect_user_error([] { resolve_model("a/b"); }, {ref.string()});
  }
}

TEST_F(hub, names_that_are_neither_folder_nor_hub_name_are_refused) {
  for (const std::string& name :
       {std::string(""), std::string("/no/such/folder"), std::string("../no_such_folder"),
        std::string("./no_such_folder"), std::string("a/b/c"), std::string("a/"), std::string("/a"),
        std::string("a//b"), std::string("a/.."), std::string("..a"), std::string("a/b--c"), std::string("-a/b"),
        std::string("a/b."), std::string("a b/c"), std::string("~/x"), "a/" + std::string(200, 'x')}) {
    SCOPED_TRACE(name);
    expect_user_error([&] { resolve_model(name); }, {"'" + name + "'", "no such folder"});
  }
}

}  // namespace
}  // namespace specthink
