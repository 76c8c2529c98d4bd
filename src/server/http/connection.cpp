#include "server/http/connection.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "server/api/errors.h"

namespace specthink::inline server {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::uint32_t kHeaderBytes = 16384;
constexpr seconds kKeepAlive{75};     // without a request
constexpr seconds kWriteTimeout{60};  // for a client that does not read
constexpr seconds kLinger{2};         // for what a client sends behind an answer that closes the connection
constexpr std::size_t kAheadBytes = std::size_t{64} << 10;   // read while a request is being answered
constexpr std::size_t kUnsentBytes = std::size_t{16} << 20;  // of a client that reads slower than its answer is written

}  // namespace

/// The handler's side of an answer: hands everything to the connection's thread.
class Connection::Answer final : public Responder, public std::enable_shared_from_this<Connection::Answer> {
 public:
  explicit Answer(std::shared_ptr<Connection> connection)
      : executor_(connection->socket_.get_executor()), connection_(std::move(connection)) {}

  void send(HttpReply reply) override {
    post([reply = std::move(reply)](Connection& connection) { connection.answer_whole(reply); });
  }
  void begin_stream() override {
    post([](Connection& connection) { connection.answer_head(); });
  }
  void write(std::string part) override {
    post([part = std::move(part)](Connection& connection) { connection.answer_part(part); });
  }
  void end_stream() override {
    post([](Connection& connection) { connection.answer_end(); });
  }
  bool is_gone() const override { return gone_.load(std::memory_order_relaxed); }

  /// On the connection's thread, when nothing more can be sent.
  void let_go() {
    gone_.store(true, std::memory_order_relaxed);
    connection_.reset();
  }

 private:
  template <typename Action>
  void post(Action action) {
    if (is_gone()) return;
    asio::post(executor_, [self = shared_from_this(), action = std::move(action)] {
      if (const auto connection = self->connection_) action(*connection);
    });
  }

  asio::ip::tcp::socket::executor_type executor_;
  std::shared_ptr<Connection> connection_;  // of the connection's thread alone
  std::atomic<bool> gone_{false};
};

Connection::Connection(asio::ip::tcp::socket socket, ConnectionContext& context)
    : socket_(std::move(socket)),
      context_(context),
      read_timer_(socket_.get_executor()),
      write_timer_(socket_.get_executor()) {
  context_.num_connections.fetch_add(1);
}

Connection::~Connection() { context_.num_connections.fetch_sub(1); }

void Connection::start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  begin_request();
  read();
}

void Connection::turn_away() {
  begin_request();
  refuse(503, "too many connections");
}

void Connection::begin_request() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(kHeaderBytes);
  parser_->body_limit(context_.limits.body_bytes);
  has_continued_ = false;
  read_timer_.expires_after(kKeepAlive);
  read_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->on_deadline();
  });
}

/// Keeps one read under way: also while a request is being answered, since that is how a client is known to have gone.
void Connection::read() {
  if (is_reading_ || is_closed_) return;
  if (answer_ && input_.size() > kAheadBytes) return;
  is_reading_ = true;
  socket_.async_read_some(asio::buffer(block_), [self = shared_from_this()](error_code error, std::size_t count) {
    self->is_reading_ = false;
    self->on_read(error, count);
  });
}

void Connection::on_read(error_code error, std::size_t count) {
  if (is_closed_) return;
  if (error) return close();
  if (!lingers_) {
    const bool is_first = input_.empty() && !parser_->got_some() && !answer_;
    input_.append(block_.data(), count);
    if (is_first) {
      read_timer_.expires_after(
          duration_cast<steady_clock::duration>(duration<double>(context_.limits.request_seconds)));
      read_timer_.async_wait([self = shared_from_this()](error_code failed) {
        if (!failed) self->on_deadline();
      });
    }
    if (!answer_) parse();
  }
  read();
}

void Connection::parse() {
  while (!input_.empty() && !parser_->is_done()) {
    error_code error;
    const std::size_t count = parser_->put(asio::buffer(input_), error);
    input_.erase(0, count);
    if (error == http::error::need_more) {
      if (count == 0) break;
      continue;
    }
    if (error == http::error::body_limit) {
      return refuse(413, "the body of the request is larger than " + std::to_string(context_.limits.body_bytes) +
                             " bytes (--max-request-bytes)");
    }
    if (error == http::error::header_limit) return refuse(431, "the header of the request is too large");
    if (error) return refuse(400, "not a request of HTTP/1.1: " + error.message());
    if (count == 0) break;
  }
  if (parser_->is_done()) return handle();
  if (!parser_->is_header_done() || has_continued_) return;
  if (parser_->get()[http::field::expect] == "100-continue") {
    has_continued_ = true;
    write("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void Connection::handle() {
  read_timer_.cancel();
  auto message = parser_->release();
  closes_ = !message.keep_alive() || context_.is_draining;
  chunked_ = message.version() >= 11;
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.path = std::string(message.target());
  request.path.resize(std::min(request.path.find('?'), request.path.size()));
  request.authorization = std::string(message[http::field::authorization]);
  request.body = std::move(message.body());
  answer_ = std::make_shared<Answer>(shared_from_this());
  context_.handler(std::move(request), answer_);
}

void Connection::on_deadline() {
  if (is_closed_ || answer_) return;
  if (lingers_ || (!parser_->got_some() && input_.empty())) return close();
  refuse(408, "the request has not arrived in time (--request-timeout)");
}

/// Answers a request that is none, and closes.
void Connection::refuse(int status, const std::string& message) {
  closes_ = true;
  input_.clear();
  answer_whole(error_reply({status, message}));
}

void Connection::answer_whole(const HttpReply& reply) {
  write(format_reply(reply, closes_));
  end_answer();
}

void Connection::answer_head() {
  if (!chunked_) closes_ = true;
  write(format_stream_head(chunked_, closes_));
}

void Connection::answer_part(const std::string& part) { write(chunked_ ? format_chunk(part) : part); }

void Connection::answer_end() {
  if (chunked_) write(kLastChunk);
  end_answer();
}

void Connection::end_answer() {
  if (answer_) answer_->let_go();
  answer_.reset();
  if (closes_ || context_.is_draining) {
    closes_ = true;
    lingers_ = true;
    if (sending_.empty()) linger();
    return;
  }
  begin_request();
  // A client may have sent its next request already. Not from here: a client that sends many would nest as many calls.
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->is_closed_ || self->answer_ || self->lingers_) return;
    self->parse();
    self->read();
  });
}

void Connection::write(const std::string& bytes) {
  if (is_closed_) return;
  output_ += bytes;
  if (output_.size() > kUnsentBytes) return close();
  if (sending_.empty()) send_output();
}

void Connection::send_output() {
  context_.num_writing.fetch_add(1);
  sending_ = std::exchange(output_, {});
  write_timer_.expires_after(kWriteTimeout);
  write_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->close();
  });
  asio::async_write(socket_, asio::buffer(sending_),
                    [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void Connection::on_written(error_code error) {
  context_.num_writing.fetch_sub(1);
  sending_.clear();
  if (is_closed_) return;
  if (error) return close();
  write_timer_.cancel();
  if (!output_.empty()) return send_output();
  if (lingers_) linger();
}

/// The answer is out. What the client is still sending is read for a moment: a connection that is closed before would
/// lose the answer.
void Connection::linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  read_timer_.expires_after(kLinger);
  read_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->close();
  });
  read();
}

void Connection::drain() {
  if (answer_) return;
  const bool is_unused = !lingers_ && sending_.empty() && input_.empty() && !parser_->got_some();
  if (is_unused) close();
}

void Connection::close() {
  if (is_closed_) return;
  is_closed_ = true;
  if (answer_) answer_->let_go();
  answer_.reset();
  read_timer_.cancel();
  write_timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace specthink::inline server
