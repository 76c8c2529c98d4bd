#include "specthink/model/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "model/model_files.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::safetensors_bytes;
using test::TemporaryFolder;

TEST(safetensors, reads_tensors_of_all_types) {
  const TemporaryFolder folder;
  const std::string data = "aaaabbbbccccccccddeeeeeeee";
  const std::string header = R"({
    "__metadata__": null,
    "half": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]},
    "brain": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]},
    "full": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]},
    "empty": {"dtype": "F32", "shape": [3, 0], "data_offsets": [8, 8]},
    "scalar": {"dtype": "F16", "shape": [], "data_offsets": [16, 18]},
    "double": {"dtype": "F64", "shape": [1], "data_offsets": [18, 26]}
  }  )";
  const auto path = folder.write("x.safetensors", safetensors_bytes(header, data));
  const SafetensorsFile file(path);
  ASSERT_EQ(file.names(), (std::vector<std::string>{"brain", "double", "empty", "full", "half", "scalar"}));
  const auto expect = [&](const std::string& name, StoredType type, std::vector<std::int64_t> shape,
                          const std::string& bytes) {
    const StoredTensor* tensor = file.find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor->name, name);
    EXPECT_EQ(tensor->type, type) << name;
    EXPECT_EQ(tensor->shape, shape) << name;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor->bytes.data()), tensor->bytes.size()), bytes) << name;
    EXPECT_EQ(tensor->offset() + data.size() - data.find(bytes), std::filesystem::file_size(path)) << name;
  };
  expect("brain", StoredType::bfloat16, {1, 2}, "aaaa");
  expect("half", StoredType::float16, {2}, "bbbb");
  expect("full", StoredType::float32, {2, 1}, "cccccccc");
  expect("scalar", StoredType::float16, {}, "dd");
  expect("double", StoredType::float64, {1}, "eeeeeeee");
  ASSERT_NE(file.find("empty"), nullptr);
  EXPECT_TRUE(file.find("empty")->bytes.empty());
  EXPECT_EQ(file.find("other"), nullptr);
  EXPECT_EQ(file.find("full")->where(), path.string() + ", tensor \"full\"");
}

TEST(safetensors, reads_a_file_without_tensors) {
  const TemporaryFolder folder;
  EXPECT_TRUE(SafetensorsFile(folder.write("x", safetensors_bytes("{}", ""))).names().empty());
}

TEST(safetensors, other_types_are_an_error_when_used) {
  const TemporaryFolder folder;
  const std::string header = R"({
    "ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
    "w": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]}})";
  const auto path = folder.write("x.safetensors", safetensors_bytes(header, "12345678ab"));
  const SafetensorsFile file(path);
  EXPECT_NE(file.find("w"), nullptr);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"w", "ids"}));
  expect_user_error([&] { file.find("ids"); }, {path.string(), "\"ids\"", "BF16, F16, F32 or F64", "I64"});
}

struct Malformed {
  const char* what;
  std::string bytes;
  std::vector<std::string> message;
};

std::string one_tensor(const std::string& entry, std::size_t data_size = 8) {
  return safetensors_bytes(R"({"a.weight": )" + entry + "}", std::string(data_size, 'x'));
}

std::string two_tensors(const std::string& first, const std::string& second, std::size_t data_size) {
  const auto entry = [](const std::string& offsets, std::size_t size) {
    return fmt::format(R"({{"dtype": "F16", "shape": [{}], "data_offsets": {}}})", size, offsets);
  };
  return safetensors_bytes(R"({"first": )" + entry(first, 2) + R"(, "second": )" + entry(second, 2) + "}",
                           std::string(data_size, 'x'));
}

TEST(safetensors, malformed_files_are_user_errors) {
  const std::string good = R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})";
  const std::vector<Malformed> corpus{
      {"empty file", "", {"at least 8 bytes", "found 0"}},
      {"seven bytes", std::string(7, '\0'), {"at least 8 bytes", "found 7"}},
      {"no header", std::string(8, '\0'), {"'{'", "byte 8"}},
      {"header longer than the file", test::little_endian(1000) + "{}", {"truncated", "byte 1008", "10 bytes"}},
      {"header above the limit", test::little_endian(100'000'001) + "{}", {"100000001", "100000000"}},
      {"header of 2^64 - 1 bytes", std::string(8, '\xFF') + "{}", {"18446744073709551615"}},
      {"a text file", "version https://git-lfs.github.com/spec/v1\n", {"not a safetensors file"}},
      {"header is a list", safetensors_bytes("[]", ""), {"'{'"}},
      {"header is cut", safetensors_bytes(R"({"a": )", ""), {"not valid JSON"}},
      {"header has text behind it", safetensors_bytes("{} x", ""), {"not valid JSON"}},
      {"header has a number out of range", safetensors_bytes(R"({"a": 1e999})", ""), {"header"}},
      {"header is no UTF-8", safetensors_bytes("{\"\xFF\": 1}", ""), {"not valid JSON"}},
      {"header is nested too deep", safetensors_bytes("{\"a\":" + std::string(100000, '['), ""), {"nested"}},
      {"metadata is a list", safetensors_bytes(R"({"__metadata__": []})", ""), {"__metadata__", "[]"}},
      {"metadata with a number", safetensors_bytes(R"({"__metadata__": {"a": 1}})", ""), {"__metadata__"}},
      {"tensor is a number", one_tensor("7"), {"\"a.weight\"", "an object", "7"}},
      {"tensor is null", one_tensor("null"), {"\"a.weight\"", "null"}},
      {"no dtype", one_tensor(R"({"shape": [2], "data_offsets": [0, 8]})"), {"\"a.weight\"", "dtype"}},
      {"no shape", one_tensor(R"({"dtype": "F32", "data_offsets": [0, 8]})"), {"\"a.weight\"", "shape"}},
      {"no offsets", one_tensor(R"({"dtype": "F32", "shape": [2]})"), {"\"a.weight\"", "data_offsets"}},
      {"dtype is a number", one_tensor(R"({"dtype": 1, "shape": [2], "data_offsets": [0, 8]})"), {"dtype", "1"}},
      {"negative shape", one_tensor(R"({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]})"), {"shape", "[-2]"}},
      {"fractional shape", one_tensor(R"({"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]})"), {"[2.0]"}},
      {"shape of text", one_tensor(R"({"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]})"), {"shape"}},
      {"shape is a number", one_tensor(R"({"dtype": "F32", "shape": 2, "data_offsets": [0, 8]})"), {"shape"}},
      {"size above 63 bits",
       one_tensor(R"({"dtype": "F32", "shape": [18446744073709551615], "data_offsets": [0, 8]})"),
       {"shape"}},
      {"shape overflows",
       one_tensor(R"({"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 8]})"),
       {"shape", "64 bits"}},
      {"shape overflows to the right length",
       one_tensor(R"({"dtype": "F32", "shape": [4611686018427387906], "data_offsets": [0, 8]})"),
       {"64 bits"}},
      {"shape too small",
       one_tensor(R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 8]})"),
       {"\"a.weight\"", "expected 4 bytes", "found 8"}},
      {"wrong dtype for the length",
       one_tensor(R"({"dtype": "F16", "shape": [2], "data_offsets": [0, 8]})"),
       {"expected 4 bytes for F16 [2]", "found 8"}},
      {"one offset", one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [0]})"), {"data_offsets", "[0]"}},
      {"three offsets", one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]})"), {"data_offsets"}},
      {"negative offset", one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]})"), {"data_offsets"}},
      {"offsets as object",
       one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": {"a": 0, "b": 8}})"),
       {"data_offsets"}},
      {"offsets reversed", one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})"), {"begin", "[8,0]"}},
      {"offsets outside",
       one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 16]})"),
       {"\"a.weight\"", "outside the file", "16", "found 8"}},
      {"offsets near 2^63",
       one_tensor(R"({"dtype": "F32", "shape": [2], "data_offsets": [9223372036854775799, 9223372036854775807]})"),
       {"outside the file"}},
      {"truncated data", one_tensor(good, 7), {"\"a.weight\"", "expected 8 bytes", "found 7"}},
      {"offsets outside, of a type that is not supported",
       one_tensor(R"({"dtype": "I8", "shape": [9], "data_offsets": [0, 9]})"),
       {"outside the file"}},
      {"bytes behind the last tensor", one_tensor(good, 9), {"expected 8 bytes", "found 9", "no tensor"}},
      {"data without tensors", safetensors_bytes("{}", "x"), {"expected 0 bytes", "found 1"}},
      {"hole at the start", two_tensors("[1, 5]", "[5, 9]", 9), {"\"first\"", "0 to 1"}},
      {"hole between", two_tensors("[0, 4]", "[5, 9]", 9), {"\"second\"", "4 to 5"}},
      {"overlap", two_tensors("[0, 4]", "[3, 7]", 7), {"\"second\"", "\"first\"", "overlap"}},
      {"same bytes", two_tensors("[0, 4]", "[0, 4]", 4), {"\"second\"", "\"first\"", "overlap"}},
      {"same name twice",
       safetensors_bytes(R"({"a.weight": )" + good + R"(, "a.weight": )" + good + "}", "12345678"),
       {"\"a.weight\"", "twice"}},
      {"same name twice, escaped once",
       safetensors_bytes(R"({"a": )" + good + R"(, "\u0061": )" + good + "}", "12345678"),
       {"\"a\"", "twice"}},
      {"same key twice in a tensor",
       one_tensor(R"({"dtype": "F16", "shape": [2], "shape": [4], "data_offsets": [0, 8]})"),
       {"\"shape\"", "twice"}},
      {"a name with a line break", safetensors_bytes(R"({"a\nb": 7})", ""), {R"("a\nb")"}},
  };
  const TemporaryFolder folder;
  for (const Malformed& bad : corpus) {
    SCOPED_TRACE(bad.what);
    const auto path = folder.write("bad.safetensors", bad.bytes);
    expect_user_error([&] { SafetensorsFile file(path); }, bad.message);
    expect_user_error([&] { SafetensorsFile file(path); }, {path.string()});
  }
}

// Whatever prefix of a file is left, it is an error and no crash.
TEST(safetensors, every_truncation_is_a_user_error) {
  const TemporaryFolder folder;
  const std::string bytes = two_tensors("[0, 4]", "[4, 8]", 8);
  EXPECT_EQ(SafetensorsFile(folder.write("x", bytes)).names().size(), 2U);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    SCOPED_TRACE(size);
    const auto path = folder.write("x", bytes.substr(0, size));
    expect_user_error([&] { SafetensorsFile file(path); }, {path.string()});
  }
}

// Any one byte of the header changed: either refused, or every tensor still lies inside the file.
TEST(safetensors, every_changed_byte_is_refused_or_harmless) {
  const TemporaryFolder folder;
  const std::string bytes = two_tensors("[0, 4]", "[4, 8]", 8);
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size() - 8; ++i) {
    for (const unsigned char change : {0x01, 0x02, 0x08, 0x10, 0x80}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      const auto path = folder.write("x", changed);
      try {
        const SafetensorsFile file(path);
        for (const std::string& name : file.names()) {
          try {
            const StoredTensor* tensor = file.find(name);
            ASSERT_NE(tensor, nullptr);
            ASSERT_LE(tensor->offset() + tensor->bytes.size(), bytes.size());
          } catch (const UserError&) {  // a type that is not supported
          }
        }
      } catch (const UserError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(safetensors, a_missing_file_is_named) {
  const TemporaryFolder folder;
  expect_user_error([&] { SafetensorsFile file(folder.path() / "none.safetensors"); }, {"none.safetensors"});
  expect_user_error([&] { SafetensorsFile file(folder.path()); }, {folder.path().string()});
}

}  // namespace
}  // namespace specthink
