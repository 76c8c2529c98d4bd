// A client's connection: one request after the other. On the thread of the listener.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/http/exchange.h"
#include "server/http/listener.h"

namespace specthink::inline server {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

/// What connections share.
struct ConnectionContext {
  HttpLimits limits;
  HttpHandler handler;
  bool is_draining = false;
  std::atomic<int> num_connections{0};
  std::atomic<int> num_writing{0};  // connections with bytes that are not sent
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, ConnectionContext& context);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();

  /// Answers 503 to a client for whom there is no room.
  void turn_away();

  /// Ends when no request is being answered.
  void drain();

 private:
  class Answer;

  void begin_request();
  void read();
  void on_read(error_code error, std::size_t count);
  void parse();
  void handle();
  void on_deadline();
  void refuse(int status, const std::string& message);
  void write(const std::string& bytes);
  void send_output();
  void on_written(error_code error);
  void end_answer();
  void linger();
  void close();

  // What the handler's answer asks for.
  void answer_whole(const HttpReply& reply);
  void answer_head();
  void answer_part(const std::string& part);
  void answer_end();

  asio::ip::tcp::socket socket_;
  ConnectionContext& context_;
  asio::steady_timer read_timer_;
  asio::steady_timer write_timer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::shared_ptr<Answer> answer_;  // of the request that is being answered
  std::string input_;               // read and not parsed
  std::string output_;              // to be sent after what is on its way
  std::string sending_;
  std::array<char, 16384> block_;  // of the read that is under way
  bool is_reading_ = false;
  bool closes_ = false;   // after this answer
  bool chunked_ = false;  // the stream
  bool lingers_ = false;  // the answer is out; what still comes is dropped
  bool is_closed_ = false;
  bool has_continued_ = false;  // 100 was sent
};

}  // namespace specthink::inline server
