#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "comm/transport.h"
#include "ranks.h"

namespace specthink {
namespace {

using testing_support::world;

/// Both ways, and shared memory with waits that always sleep.
struct Way {
  std::string name;
  std::function<std::unique_ptr<Transport>()> make;
};

class transport : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override { ASSERT_TRUE(transport_); }

  std::unique_ptr<Transport> transport_ = GetParam().make();
  std::size_t rank_ = static_cast<std::size_t>(world().rank());
  std::size_t ranks_ = static_cast<std::size_t>(world().size());
};

// Lengths around those of the parts in which shared memory takes them.
const std::vector<std::size_t> kLengths{0, 1, 100, 65535, 65536, 65537, 300000};

std::byte byte_of(std::size_t rank, std::size_t index) { return static_cast<std::byte>(rank * 101 + index * 7 + 3); }

std::vector<std::byte> bytes_of(std::size_t rank, std::size_t length) {
  std::vector<std::byte> result(length);
  for (std::size_t i = 0; i < length; ++i) result[i] = byte_of(rank, i);
  return result;
}

TEST_P(transport, gathers_bytes_of_any_length_in_rank_order) {
  for (const std::size_t length : kLengths) {
    const std::vector<std::byte> own = bytes_of(rank_, length);
    std::vector<std::byte> all(length * ranks_);
    transport_->all_gather(own, all);
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      const std::vector<std::byte> part(all.begin() + static_cast<std::ptrdiff_t>(rank * length),
                                        all.begin() + static_cast<std::ptrdiff_t>((rank + 1) * length));
      EXPECT_EQ(part, bytes_of(rank, length)) << length << " bytes of rank " << rank;
    }
  }
}

TEST_P(transport, broadcasts_bytes_of_any_length_from_any_rank) {
  for (const std::size_t length : kLengths) {
    for (std::size_t root = 0; root < ranks_; ++root) {
      std::vector<std::byte> data = bytes_of(rank_ == root ? root : ranks_, length);
      transport_->broadcast(data, static_cast<int>(root));
      EXPECT_EQ(data, bytes_of(root, length)) << length << " bytes from rank " << root;
    }
  }
}

// A root may be several broadcasts ahead of a rank that still reads.
TEST_P(transport, many_in_a_row_do_not_mix) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::uint64_t value = rank_ == 0 ? i * i : 0;
    transport_->broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
    ASSERT_EQ(value, i * i);
    sum += value;
    if (i % 50 != 0) continue;
    std::vector<std::uint64_t> sums(ranks_);
    transport_->all_gather(std::as_bytes(std::span(&sum, 1)), std::as_writable_bytes(std::span(sums)));
    for (const std::uint64_t other : sums) ASSERT_EQ(other, sum);
  }
}

TEST_P(transport, nobody_leaves_a_barrier_before_all_have_come) {
  for (std::int64_t round = 1; round <= 100; ++round) {
    world().mark(Phase::decode, round);
    transport_->barrier();
    for (const RankStatus* status : world().board().ranks()) EXPECT_GE(snapshot(*status).detail, round);
  }
  transport_->barrier();  // nobody marks something else before all have looked
}

INSTANTIATE_TEST_SUITE_P(
    ways, transport,
    testing::Values(Way{"shared", [] { return make_shared_transport(MPI_COMM_WORLD, kSpinTime); }},
                    Way{"shared_asleep", [] { return make_shared_transport(MPI_COMM_WORLD, std::chrono::seconds(0)); }},
                    Way{"mpi", [] { return make_mpi_transport(MPI_COMM_WORLD); }}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace specthink
