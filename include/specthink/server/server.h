// An HTTP server in the manner of the OpenAI API in front of an engine. On rank 0.
//
//   Server server(options);                            // binds the port
//   server.start();
//   run_schedules(engine, batch, server.runs());       // until a stop is requested and what was accepted has ended
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "specthink/comm/mailbox.h"
#include "specthink/engine/runner.h"
#include "specthink/server/run_request.h"

namespace specthink::inline server {

class Server {
 public:
  struct Options {
    std::string host;
    int port = 0;         ///< 0: any that is free
    std::string api_key;  ///< that requests to /v1 must bring; empty: none
    std::size_t max_request_bytes = 0;
    int max_connections = 0;
    int max_waiting = 0;         ///< runs in the queue
    double request_timeout = 0;  ///< seconds for a request to arrive
    double queue_timeout = 0;    ///< seconds for it to begin
    double drain_timeout = 0;    ///< seconds for what was accepted, after a stop
    SamplingParams sampling{};   ///< where a request says nothing
    std::vector<ServedModel> models;
    PrepareRun prepare;
    MakeRun make_run;  ///< on the engine's thread
    std::function<bool()> stop_requested;
    std::function<void()> on_idle;  ///< on the engine's thread, before it waits for requests
  };

  /// Throws UserError or EnvironmentError for an address that cannot be had.
  explicit Server(Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

  /// Answers from now on. `runs`: at a time. The mailbox, over which the `roots` of other groups get runs as well, must
  /// outlive the server; null: there are none.
  void start(int runs, const Mailbox* mailbox = nullptr, std::vector<int> roots = {});

  /// The runs that clients ask for, to the thread that drives the engine.
  RunSource& runs();

  /// When run_schedules() has returned: waits for the other groups, and lets them go.
  void finish();

  /// Tells everybody who waits that there will be no answer (503). From any thread.
  void abort();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace specthink::inline server
