#include "server/http/listener.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "server/http/connection.h"
#include "specthink/base/error.h"
#include "specthink/comm/quiet_thread.h"

namespace specthink::inline server {

struct Listener::Impl {
  explicit Impl(const HttpLimits& limits) { context.limits = limits; }

  void accept();
  void on_accepted(error_code error, asio::ip::tcp::socket socket);

  ConnectionContext context;  // outlives what the io_context holds
  asio::io_context io{1};
  asio::ip::tcp::acceptor acceptor{io};
  asio::steady_timer retry{io};
  std::vector<std::weak_ptr<Connection>> connections;
  std::thread thread;
};

void Listener::Impl::accept() {
  acceptor.async_accept(
      [this](error_code error, asio::ip::tcp::socket socket) { on_accepted(error, std::move(socket)); });
}

void Listener::Impl::on_accepted(error_code error, asio::ip::tcp::socket socket) {
  if (error == asio::error::operation_aborted) return;
  if (error) {
    // No file handles are left, or the client has gone already: others may come.
    retry.expires_after(std::chrono::milliseconds(50));
    retry.async_wait([this](error_code failed) {
      if (!failed) accept();
    });
    return;
  }
  std::erase_if(connections, [](const auto& connection) { return connection.expired(); });
  const bool is_full = context.num_connections.load() >= context.limits.connections;
  const auto connection = std::make_shared<Connection>(std::move(socket), context);
  connections.push_back(connection);
  is_full ? connection->turn_away() : connection->start();
  accept();
}

Listener::Listener(const std::string& host, int port, const HttpLimits& limits)
    : impl_(std::make_unique<Impl>(limits)) {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) throw UserError("--host {}: expected an IP address, such as 127.0.0.1 or 0.0.0.0 for all", host);
  const asio::ip::tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  asio::ip::tcp::acceptor& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    throw EnvironmentError("cannot listen on {}:{}: {}; choose another --port, or 0 for any that is free", host, port,
                           error.message());
  }
}

Listener::~Listener() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

int Listener::port() const { return impl_->acceptor.local_endpoint().port(); }

int Listener::num_connections() const { return impl_->context.num_connections.load(); }

void Listener::start(HttpHandler handler) {
  impl_->context.handler = std::move(handler);
  impl_->accept();
  impl_->thread = start_quiet_thread([this] { impl_->io.run(); });
}

void Listener::drain() {
  asio::post(impl_->io, [impl = impl_.get()] {
    impl->context.is_draining = true;
    error_code ignored;
    impl->acceptor.close(ignored);
    for (const auto& weak : impl->connections) {
      if (const auto connection = weak.lock()) connection->drain();
    }
  });
}

void Listener::flush(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::atomic<bool> seen{false};
  asio::post(impl_->io, [&] { seen = true; });  // behind what was posted before
  while (std::chrono::steady_clock::now() < end) {
    if (seen && impl_->context.num_writing.load() == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  // The flag must outlive what sets it.
  while (!seen && impl_->thread.joinable() && !impl_->io.stopped()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace specthink::inline server
