#include "specthink/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "specthink/base/error.h"

namespace specthink {
namespace {

class file : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("specthink_file_" + std::to_string(::getpid()));
};

TEST_F(file, written_content_is_read_back) {
  const std::string content("a\0b\n", 4);
  write_file_atomically(folder_ / "x", content);
  EXPECT_EQ(read_file(folder_ / "x"), content);
  write_file_atomically(folder_ / "x", "new");
  EXPECT_EQ(read_file(folder_ / "x"), "new");
  append_line(folder_ / "x", "line");
  EXPECT_EQ(read_file(folder_ / "x"), "newline\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no temporary file is left";
}

TEST_F(file, what_cannot_be_read_is_named) {
  for (const auto& path : {folder_ / "missing", folder_}) {
    try {
      read_file(path);
      FAIL() << path;
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
  write_file_atomically(folder_ / "large", "12345");
  EXPECT_THROW(read_file(folder_ / "large", 4), UserError);
  EXPECT_THROW(MappedFile(folder_ / "missing"), UserError);
}

TEST_F(file, what_cannot_be_written_is_an_environment_error) {
  EXPECT_THROW(write_file_atomically(folder_ / "no_folder" / "x", "y"), EnvironmentError);
  EXPECT_THROW(append_line(folder_ / "no_folder" / "x", "y"), EnvironmentError);
}

TEST_F(file, half_a_line_goes_again) {
  append_line(folder_ / "x", "first");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 9;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(append_line(folder_ / "x", "second"), EnvironmentError);
  EXPECT_THROW(write_file_atomically(folder_ / "x", "a whole other content"), EnvironmentError);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(folder_ / "x"), "first\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no temporary file is left";
}

TEST_F(file, mapped_bytes_survive_a_release) {
  const std::string content(100000, 'q');
  write_file_atomically(folder_ / "x", content);
  MappedFile first(folder_ / "x");
  MappedFile mapped = std::move(first);
  ASSERT_EQ(mapped.bytes().size(), content.size());
  mapped.release(0, content.size());
  for (const std::byte byte : mapped.bytes()) ASSERT_EQ(byte, std::byte{'q'});
  write_file_atomically(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(file, is_read_where_it_is_mapped) {
  std::string content;
  for (int i = 0; i < 100000; ++i) content += static_cast<char>(i % 251);
  write_file_atomically(folder_ / "x", content);
  const MappedFile file(folder_ / "x");
  std::string part(5000, ' ');
  file.read(777, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(part, content.substr(777, 5000));
  file.read(content.size(), {});
  file.request(777, 5000);
  file.request(content.size(), 5000);
}

TEST_F(file, that_was_cut_short_is_an_error_where_it_is_read) {
  write_file_atomically(folder_ / "x", std::string(100000, 'q'));
  const MappedFile file(folder_ / "x");
  std::filesystem::resize_file(folder_ / "x", 6000);
  std::string part(5000, ' ');
  file.read(1000, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(part, std::string(5000, 'q'));
  EXPECT_THROW(file.read(1001, std::as_writable_bytes(std::span(part))), UserError);
}

}  // namespace
}  // namespace specthink
