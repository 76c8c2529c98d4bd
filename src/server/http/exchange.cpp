#include "server/http/exchange.h"

#include <fmt/format.h>

namespace specthink::inline server {
namespace {

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

}  // namespace

std::string format_reply(const HttpReply& reply, bool closes) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", reply.status,
                                 reason_of(reply.status), reply.content_type, reply.body.size());
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n";
  return text + reply.body;
}

std::string format_stream_head(bool chunked, bool closes) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n{}{}\r\n",
      chunked ? "Transfer-Encoding: chunked\r\n" : "", closes ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
}

std::string format_chunk(const std::string& part) { return fmt::format("{:x}\r\n{}\r\n", part.size(), part); }

}  // namespace specthink::inline server
