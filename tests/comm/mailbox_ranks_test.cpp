#include <gtest/gtest.h>

#include <thread>

#include "ranks.h"
#include "specthink/comm/mailbox.h"
#include "specthink/comm/rank_groups.h"

namespace specthink {
namespace {

using testing_support::world;

// Rank 0 answers in a thread while its main thread is in collectives of the others.
TEST(mailbox, answers_while_the_group_works) {
  const Mailbox mailbox(world());
  std::thread server;
  if (world().rank() == 0) {
    server = std::thread([&] {
      for (int left = world().size() - 1; left > 0;) {
        const auto message = mailbox.try_receive();
        if (!message) continue;
        EXPECT_EQ(message->text, std::string(static_cast<std::size_t>(message->from) * 100000, 'q'));
        mailbox.send(message->from, message->text + "!");
        --left;
      }
    });
  } else {
    const std::string text(static_cast<std::size_t>(world().rank()) * 100000, 'q');
    mailbox.send(0, text);
    EXPECT_EQ(mailbox.receive(0), text + "!");
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(world().all_gather(std::int64_t{i}).back(), i);
  if (server.joinable()) server.join();
}

TEST(rank_groups, of_one_rank_each_and_of_all) {
  const RankGroups single(world(), 1);
  EXPECT_EQ(single.count(), world().size());
  EXPECT_EQ(single.own().size(), 1);
  EXPECT_EQ(single.index(), world().rank());
  EXPECT_EQ(single.roots().size(), static_cast<std::size_t>(world().size()));
  const RankGroups all(world(), 0);
  EXPECT_EQ(all.count(), 1);
  EXPECT_EQ(&all.own(), &world());
}

TEST(rank_groups, of_two) {
  if (world().size() % 2 != 0) {
    testing::internal::CaptureStderr();
    EXPECT_THROW(RankGroups(world(), 2), ReportedError);
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_EQ(printed.find("multiple of 2") != std::string::npos, world().rank() == 0) << printed;
    return;
  }
  const RankGroups pairs(world(), 2);
  EXPECT_EQ(pairs.own().size(), 2);
  EXPECT_EQ(pairs.index(), world().rank() / 2);
  EXPECT_EQ(pairs.own().rank(), world().rank() % 2);
  for (std::size_t group = 0; group < pairs.roots().size(); ++group) {
    EXPECT_EQ(pairs.roots()[group], 2 * static_cast<int>(group));
  }
}

}  // namespace
}  // namespace specthink
