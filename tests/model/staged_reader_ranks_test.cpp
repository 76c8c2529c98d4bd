// Rows of stored tensors come to the device as they are in their files, whatever the blocks and buffers; on CPUs and
// GPUs.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>
#include <optional>
#include <vector>

#include "model/checkpoint/staged_reader.h"
#include "model/checkpoint/weights.h"
#include "model/model_files.h"
#include "ranks.h"
#include "specthink/model/model_config.h"
#include "specthink/model/safetensors.h"

namespace specthink {
namespace {

using test::expect_user_error;
using test::SafetensorsWriter;
using test::TemporaryFolder;
using testing_support::device;

template <typename T>
std::vector<T> counted(std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(i % 119);
  return values;
}

/// Tensors of several types and lengths; those behind `odd` do not lie at multiples of their elements' sizes.
class StagedReaderTest : public testing::Test {
 protected:
  StagedReaderTest() {
    SafetensorsWriter writer;
    writer.add("float", "F32", {50, 12}, counted<float>(50 * 12));
    writer.add("odd", "F8_E4M3", {7, 3}, counted<std::uint8_t>(7 * 3));
    writer.add("vector", "F32", {1000}, counted<float>(1000));
    writer.add("double", "F64", {9, 5}, counted<double>(9 * 5));
    writer.add("words", "I32", {40, 6}, counted<std::int32_t>(40 * 6));
    path_ = folder_.write("model.safetensors", writer.bytes());
    file_.emplace(path_);
  }

  const StoredTensor& tensor(const char* name) const { return *file_->find(name); }

  /// Rows and columns of a tensor as counted() made it.
  static at::Tensor expected(const StoredRows& rows, std::int64_t first_column, std::int64_t columns) {
    return at::arange(rows.tensor->shape[0] * rows.columns(), at::kFloat)
        .remainder(119)
        .view({-1, rows.columns()})
        .narrow(0, rows.first, rows.count)
        .narrow(1, first_column, columns);
  }

  static at::Tensor room(std::int64_t rows, std::int64_t columns, at::ScalarType type) {
    return at::full({rows, columns}, 7, at::TensorOptions(device()).dtype(type));
  }

  TemporaryFolder folder_;
  std::filesystem::path path_;
  std::optional<SafetensorsFile> file_;
};
using staged_reader = StagedReaderTest;

TEST_F(staged_reader, gives_the_planned_rows_for_all_sizes_of_blocks) {
  const std::vector<StoredRows> plan{{&tensor("float"), 3, 40}, whole(tensor("odd")),      {&tensor("double"), 2, 0},
                                     whole(tensor("vector")),   {&tensor("double"), 8, 1}, {&tensor("words"), 0, 39},
                                     {&tensor("float"), 0, 50}};
  for (const std::size_t block_bytes : {1, 48, 100, 1000, 1 << 20}) {
    for (const int buffers : {1, 2, 5}) {
      StagedReader reader(plan, device(), {.block_bytes = block_bytes, .buffers = buffers, .threads = 3});
      const auto read = [&](const StoredRows& rows, std::int64_t first, std::int64_t columns, at::ScalarType type) {
        const at::Tensor out = room(rows.count, columns, type);
        reader.read(rows, first, out);
        EXPECT_TRUE(at::equal(out.cpu().to(at::kFloat), expected(rows, first, columns)))
            << rows.tensor->name << " in blocks of " << block_bytes << ", " << buffers << " buffers";
      };
      read(plan[0], 0, 12, at::kFloat);
      read(plan[1], 1, 2, at::kByte);  // as they are stored: counted() wrote bytes
      read(plan[2], 0, 5, at::kDouble);
      read(plan[3], 0, 1, at::kFloat);
      read(plan[4], 2, 3, at::kFloat);
      read(plan[5], 5, 1, at::kInt);
      read(plan[6], 4, 8, at::kBFloat16);
      EXPECT_EQ(reader.read_bytes(), reader.total_bytes());
      EXPECT_EQ(reader.total_bytes(), 40 * 48 + 21 + 4000 + 40 + 39 * 24 + 50 * 48);
    }
  }
}

TEST_F(staged_reader, writes_into_a_part_of_a_larger_matrix) {
  const StoredRows rows = whole(tensor("float"));
  StagedReader reader({rows}, device(), {.block_bytes = 96});
  const at::Tensor larger = room(60, 20, at::kHalf);
  reader.read(rows, 0, larger.narrow(0, 2, 50).narrow(1, 3, 12));
  const at::Tensor all = at::full({60, 20}, 7.0F);
  all.narrow(0, 2, 50).narrow(1, 3, 12).copy_(expected(rows, 0, 12));
  EXPECT_TRUE(at::equal(larger.cpu().to(at::kFloat), all));
}

TEST_F(staged_reader, refuses_another_order) {
  const StoredRows rows = whole(tensor("float"));
  StagedReader reader({rows, whole(tensor("words"))}, device());
  EXPECT_THROW(reader.read(whole(tensor("words")), 0, room(40, 6, at::kInt)), InternalError);
  EXPECT_THROW(reader.read({&tensor("float"), 1, 2}, 0, room(2, 12, at::kFloat)), InternalError);
}

TEST_F(staged_reader, ends_while_its_threads_wait) {
  const StoredRows rows = whole(tensor("vector"));
  { StagedReader unused({rows, rows, rows}, device(), {.block_bytes = 8, .buffers = 2}); }
  StagedReader half({rows, rows}, device(), {.block_bytes = 8, .buffers = 2});
  half.read(rows, 0, room(1000, 1, at::kFloat));
  { StagedReader empty({}, device()); }
}

// An access to the mapping would end the process by SIGBUS.
TEST_F(staged_reader, says_that_a_file_was_cut_short) {
  const StoredRows rows = whole(tensor("words"));
  std::filesystem::resize_file(path_, tensor("words").offset() + 100);
  StagedReader reader({rows}, device(), {.block_bytes = 24, .buffers = 2});
  expect_user_error([&] { reader.read(rows, 0, room(40, 6, at::kInt)); }, {path_.string(), "cut short"});
}

TEST(load_weights, of_a_file_that_is_cut_short_meanwhile) {
  const std::filesystem::path golden = "tests/model/golden/heads_12_4_untied";
  const TemporaryFolder folder;
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(golden / name, folder.path() / name);
  }
  const ModelConfig config = ModelConfig::load(folder.path());
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const std::filesystem::path file = folder.path() / "model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 3);
  expect_user_error([&] { load_weights(checkpoint, config, ShardPlan(config, 0, 1), DType::float32, device()); },
                    {file.string(), "cut short"});
}

TEST(load_weights, tells_how_far_it_is) {
  const std::filesystem::path folder = "tests/model/golden/heads_12_4_untied";
  const ModelConfig config = ModelConfig::load(folder);
  const Checkpoint checkpoint = Checkpoint::open(folder);
  std::vector<std::int64_t> layers;
  std::size_t read = 0;
  load_weights(checkpoint, config, ShardPlan(config, 0, 1), DType::float32, device(),
               [&](const LoadProgress& progress) {
                 layers.push_back(progress.layer);
                 EXPECT_GE(progress.read_bytes, read);
                 EXPECT_LE(progress.read_bytes, progress.total_bytes);
                 EXPECT_GT(progress.read_bytes, 0);
                 read = progress.read_bytes;
               });
  std::vector<std::int64_t> all(static_cast<std::size_t>(config.num_layers));
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(layers, all);
}

}  // namespace
}  // namespace specthink
