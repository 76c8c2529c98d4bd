// A request and the way to answer it, apart from sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace specthink::inline server {

struct HttpRequest {
  std::string method;
  std::string path;  ///< without the query
  std::string authorization;
  std::string body;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// The answer to one request. Any thread may call these; what comes after the client has gone is dropped.
class Responder {
 public:
  virtual ~Responder() = default;

  /// The whole answer.
  virtual void send(HttpReply reply) = 0;

  /// An answer in parts: server-sent events.
  virtual void begin_stream() = 0;
  virtual void write(std::string part) = 0;
  virtual void end_stream() = 0;

  /// The client has closed the connection, or does not read.
  virtual bool is_gone() const = 0;
};

/// Called on the thread of the connections, so that it must not wait.
using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<Responder>)>;

/// The bytes of a whole answer. `closes`: the connection ends with it.
std::string format_reply(const HttpReply& reply, bool closes);

/// The head of a stream; `chunked` as HTTP/1.1 has it, otherwise the end of the connection ends it.
std::string format_stream_head(bool chunked, bool closes);

/// A part of a chunked stream, and what ends one.
std::string format_chunk(const std::string& part);
inline constexpr const char* kLastChunk = "0\r\n\r\n";

}  // namespace specthink::inline server
