#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace specthink::inline server {
namespace {

void print_head(const std::string& name, const char* type, const std::string& help, std::string& out) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

template <typename Value>
void print_value(const std::string& name, const char* type, const std::string& help, Value value, std::string& out) {
  print_head(name, type, help, out);
  out += fmt::format("{} {}\n", name, value);
}

}  // namespace

void Metrics::Histogram::observe(double value) {
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
  ++counts[static_cast<std::size_t>(bound - bounds.begin())];
  sum += value;
}

void Metrics::Histogram::print(const std::string& name, const std::string& help, std::string& out) const {
  print_head(name, "histogram", help, out);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf",
                       total);
  }
  out += fmt::format("{0}_sum {1}\n{0}_count {2}\n", name, sum, total);
}

void Metrics::count_reply(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++replies_[{path, status}];
}
void Metrics::count_gone() {
  const std::lock_guard lock(mutex_);
  ++gone_;
}
void Metrics::count_prompt(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  prompt_tokens_ += tokens;
}
void Metrics::count_preemptions(std::int64_t preemptions) {
  const std::lock_guard lock(mutex_);
  preemptions_ = preemptions;
}
void Metrics::add(const Ledger& ledger) {
  const std::lock_guard lock(mutex_);
  ledger_ += ledger;
}
void Metrics::observe_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.observe(seconds);
}
void Metrics::observe_token(double seconds) {
  const std::lock_guard lock(mutex_);
  per_token_.observe(seconds);
}
void Metrics::observe_answer(double seconds) {
  const std::lock_guard lock(mutex_);
  answer_.observe(seconds);
}
void Metrics::set_queue(int waiting) {
  const std::lock_guard lock(mutex_);
  waiting_ = waiting;
}
void Metrics::set_running(int running) {
  const std::lock_guard lock(mutex_);
  running_ = running;
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  print_head("specthink_requests_total", "counter", "Answered requests by path and status.", out);
  for (const auto& [key, count] : replies_) {
    out += fmt::format("specthink_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, count);
  }
  print_value("specthink_clients_gone_total", "counter", "Answers whose client went away before they ended.", gone_,
              out);
  print_value("specthink_runs_waiting", "gauge", "Runs in the queue.", waiting_, out);
  print_value("specthink_runs_running", "gauge", "Runs that share the models' steps.", running_, out);
  print_value("specthink_preemptions_total", "counter", "Sequences that lost their cache and were prefilled again.",
              preemptions_, out);
  print_value("specthink_prompt_tokens_total", "counter", "Tokens of prompts.", prompt_tokens_, out);
  print_head("specthink_tokens_total", "counter", "Tokens of answers by who wrote them.", out);
  for (const auto& [origin, count] :
       {std::pair{"draft", ledger_.draft}, {"target", ledger_.target}, {"injected", ledger_.injected}}) {
    out += fmt::format("specthink_tokens_total{{origin=\"{}\"}} {}\n", origin, count);
  }
  print_head("specthink_wasted_tokens_total", "counter", "Tokens that were written and thrown away.", out);
  for (const auto& [model, count] : {std::pair{"draft", ledger_.draft_wasted}, {"target", ledger_.target_wasted}}) {
    out += fmt::format("specthink_wasted_tokens_total{{model=\"{}\"}} {}\n", model, count);
  }
  for (const bool accepted : {false, true}) {
    const std::string name = accepted ? "specthink_accepted_tokens_total" : "specthink_proposed_tokens_total";
    print_head(name, "counter", accepted ? "Proposed tokens that were kept." : "Tokens proposed for verification.",
               out);
    for (const auto& [by, counts] : {std::pair{"ngram", &ledger_.ngram}, {"draft", &ledger_.draft_model}}) {
      out += fmt::format("{}{{by=\"{}\"}} {}\n", name, by, accepted ? counts->num_accepted() : counts->num_proposed());
    }
  }
  first_token_.print("specthink_time_to_first_token_seconds", "From a request to the first token of its answer.", out);
  per_token_.print("specthink_time_per_token_seconds", "Between tokens of an answer, on average of each answer.", out);
  answer_.print("specthink_answer_seconds", "From a request to the end of its answer.", out);
  return out;
}

}  // namespace specthink::inline server
