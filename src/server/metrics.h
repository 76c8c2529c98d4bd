// What /metrics tells, as text that Prometheus reads. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "specthink/schedule/ledger.h"

namespace specthink::inline server {

class Metrics {
 public:
  void count_reply(const std::string& path, int status);
  void count_gone();
  void count_prompt(std::int64_t tokens);
  void count_preemptions(std::int64_t preemptions);  ///< in all
  void add(const Ledger& ledger);
  void observe_first_token(double seconds);
  void observe_token(double seconds);
  void observe_answer(double seconds);
  void set_queue(int waiting);
  void set_running(int running);

  std::string text() const;

 private:
  struct Histogram {
    explicit Histogram(std::vector<double> bounds) : bounds(std::move(bounds)), counts(this->bounds.size() + 1) {}
    void observe(double value);
    void print(const std::string& name, const std::string& help, std::string& out) const;

    std::vector<double> bounds;
    std::vector<std::int64_t> counts;  // by bound, the last one without any
    double sum = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::int64_t> replies_;  // by path and status
  std::int64_t gone_ = 0;
  std::int64_t prompt_tokens_ = 0;
  std::int64_t preemptions_ = 0;
  Ledger ledger_;
  int waiting_ = 0;
  int running_ = 0;
  Histogram first_token_{{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}};
  Histogram per_token_{{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}};
  Histogram answer_{{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}};
};

}  // namespace specthink::inline server
