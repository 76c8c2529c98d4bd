// What will be read is brought into memory before, in its order and not too far ahead.
#include "model/checkpoint/read_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "model/checkpoint/weights.h"
#include "model/model_files.h"
#include "specthink/model/model_config.h"
#include "specthink/model/safetensors.h"

namespace specthink {
namespace {

constexpr std::size_t kMega = std::size_t{1} << 20;

bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Pages of this part of the mapping that are in memory.
std::size_t num_resident(const MappedFile& file, std::size_t offset, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(file.bytes().data()) + offset, bytes, pages.data()), 0);
  return static_cast<std::size_t>(std::ranges::count_if(pages, [](unsigned char byte) { return (byte & 1) != 0; }));
}

void drop_from_memory(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  ASSERT_EQ(::fsync(fd), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
}

TEST(read_ahead, brings_the_parts_into_memory_and_nothing_else) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("file", std::string(24 * kMega, 'x'));
  drop_from_memory(path);
  const MappedFile file(path);
  const auto pages = kMega / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (num_resident(file, 0, 24 * kMega) > 0) GTEST_LOG_(INFO) << "this file system keeps files in memory";
  const ReadAhead ahead({{&file, 20 * kMega, 4 * kMega}, {&file, 3, 9 * kMega}}, 64 * kMega);
  EXPECT_EQ(ahead.total(), 13 * kMega);
  EXPECT_TRUE(comes_true([&] {
    return num_resident(file, 20 * kMega, 4 * kMega) == 4 * pages && num_resident(file, 0, 9 * kMega) == 9 * pages;
  }));
  EXPECT_EQ(ahead.asked_for(), 13 * kMega);
}

TEST(read_ahead, stays_within_its_distance_of_the_reader) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("file", std::string(64 * kMega, 'x'));
  const MappedFile file(path);
  ReadAhead ahead({{&file, 0, 32 * kMega}, {&file, 32 * kMega, 32 * kMega}}, 16 * kMega);
  EXPECT_TRUE(comes_true([&] { return ahead.asked_for() >= 16 * kMega; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(ahead.asked_for(), 16 * kMega + 8 * kMega) << "the last request may reach beyond";
  ahead.advance(30 * kMega);
  EXPECT_TRUE(comes_true([&] { return ahead.asked_for() >= 46 * kMega; }));
  EXPECT_LT(ahead.asked_for(), 54 * kMega);
  ahead.advance(34 * kMega);
  EXPECT_TRUE(comes_true([&] { return ahead.asked_for() == 64 * kMega; }));
}

TEST(read_ahead, ends_while_it_waits_and_needs_no_parts) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("file", std::string(32 * kMega, 'x'));
  const MappedFile file(path);
  { const ReadAhead ahead({{&file, 0, 32 * kMega}}, 1); }
  { const ReadAhead ahead({}, 64 * kMega); }
  { const ReadAhead beyond({{&file, 31 * kMega, 5 * kMega}}, 64 * kMega); }
}

// Every rank reads its rows of what is divided by rows, and all of the rest: nothing that it does not need.
TEST(read_ahead, is_planned_as_ranks_read) {
  const std::filesystem::path folder = "tests/model/golden/heads_12_4_untied";
  const ModelConfig config = ModelConfig::load(folder);
  const Checkpoint checkpoint = Checkpoint::open(folder);
  const auto planned = [&](int rank, int ranks) {
    std::size_t bytes = 0;
    for (const StoredRows& rows : planned_reads(checkpoint, config, ShardPlan(config, rank, ranks)))
      bytes += rows.bytes();
    return bytes;
  };
  const SafetensorsFile file(folder / "model.safetensors");
  std::size_t all = 0;
  std::size_t by_everybody = 0;
  for (const std::string& name : file.names()) {
    const std::size_t bytes = file.find(name)->bytes.size();
    all += bytes;
    const bool is_whole =
        name.ends_with("norm.weight") || name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
    if (is_whole) by_everybody += bytes;
  }
  EXPECT_EQ(planned(0, 1), all);
  EXPECT_EQ(planned(0, 2) + planned(1, 2), all + by_everybody);
}

}  // namespace
}  // namespace specthink
