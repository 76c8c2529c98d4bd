// What is wrong with a request, as clients of the OpenAI API read it.
#pragma once

#include <optional>
#include <string>

#include "server/http/exchange.h"

namespace specthink::inline server {

struct ApiError {
  int status = 400;
  std::string message;
  std::string param{};               ///< the field; empty: none
  std::optional<int> retry_after{};  ///< seconds
};

/// {"error": {"message", "type", "param", "code"}}.
std::string error_body(const ApiError& error);

HttpReply error_reply(const ApiError& error);

}  // namespace specthink::inline server
