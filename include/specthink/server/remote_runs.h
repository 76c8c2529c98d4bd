// The runs that rank 0 gives to another group. On rank 0 of that group.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "specthink/comm/mailbox.h"
#include "specthink/engine/runner.h"
#include "specthink/server/run_order.h"

namespace specthink::inline server {

class RemoteRuns final : public RunSource {
 public:
  /// `on_idle`: before it waits for runs. The mailbox must outlive this.
  RemoteRuns(const Mailbox& mailbox, MakeRun make_run, std::function<void()> on_idle)
      : mailbox_(mailbox), make_run_(std::move(make_run)), on_idle_(std::move(on_idle)) {}

  std::optional<ScheduledRun> next(bool idle) override;
  bool is_exhausted() override { return ended_ && orders_.empty(); }
  void observe(const PoolStatus& status) override;

 private:
  /// What a run has written since the last message.
  struct Written {
    TokenIds ids;
    std::string origins;          // a digit for each
    std::vector<float> logprobs;  // of each, where they are asked for
  };

  void receive();
  void flush(std::int64_t id);
  ScheduledRun make(std::int64_t id, const RunOrder& order);

  const Mailbox& mailbox_;
  MakeRun make_run_;
  std::function<void()> on_idle_;
  std::map<std::int64_t, RunOrder> orders_;  // not begun
  std::map<std::int64_t, Written> written_;
  std::set<std::int64_t> cancelled_;
  bool ended_ = false;
};

}  // namespace specthink::inline server
