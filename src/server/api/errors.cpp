#include "server/api/errors.h"

#include "specthink/base/json.h"

namespace specthink::inline server {
namespace {

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

}  // namespace

std::string error_body(const ApiError& error) {
  const Json body{{"error",
                   {{"message", error.message},
                    {"type", type_of(error.status)},
                    {"param", error.param.empty() ? Json(nullptr) : Json(error.param)},
                    {"code", error.status}}}};
  // A message may quote bytes that are no text.
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpReply error_reply(const ApiError& error) {
  HttpReply reply{.status = error.status, .body = error_body(error)};
  if (error.retry_after) reply.headers.emplace_back("Retry-After", std::to_string(*error.retry_after));
  if (error.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.status == 405) reply.headers.emplace_back("Allow", "GET, POST");
  return reply;
}

}  // namespace specthink::inline server
