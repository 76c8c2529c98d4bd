// Connections of clients on a thread of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/http/exchange.h"

namespace specthink::inline server {

struct HttpLimits {
  std::size_t body_bytes = 0;
  double request_seconds = 0;  ///< from the first byte of a request to its last
  int connections = 0;
};

class Listener {
 public:
  /// Binds the address; nothing is accepted before start(). Throws UserError for a host that is none and
  /// EnvironmentError for an address that is taken.
  Listener(const std::string& host, int port, const HttpLimits& limits);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const;  ///< as bound
  int num_connections() const;

  /// Serves until the listener is destroyed.
  void start(HttpHandler handler);

  /// Closes what has nothing to do, and each connection after its answer; accepts no more.
  void drain();

  /// Waits until what was written has been sent, for at most so long.
  void flush(double seconds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace specthink::inline server
