#include "specthink/evaluation/eval_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/python/number.h"
#include "specthink/evaluation/sample_counter.h"
#include "specthink/evaluation/summary.h"
#include "specthink/report/ledger.h"

namespace specthink::inline evaluation {
namespace {

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// A part of a file's name; a slash would be a folder.
std::string name_part(std::string text) {
  std::ranges::replace(text, '/', '-');
  return text.empty() ? "None" : text;
}

OrderedJson response_json(const RunRecord& record, const std::optional<std::string>& gold) {
  OrderedJson response{{"content", trimmed(record.generated_text)}};
  if (!record.correct) {
    response["correctness"] = nullptr;
    response["reason"] = nullptr;
    return response;
  }
  response["correctness"] = *record.correct;
  std::string reason;
  if (!*record.correct) {
    reason = record.answer ? fmt::format("{} is not {}", *record.answer, gold.value_or("the answer"))
                           : std::string("no answer was found");
    if (record.extra.value("judge_reason", "") == "not decided") reason += " (not decided)";
  }
  response["reason"] = reason;
  if (record.extra.contains("judge")) response["judge"] = OrderedJson(record.extra.at("judge"));
  response["answer"] = record.answer ? OrderedJson(*record.answer) : OrderedJson();
  return response;
}

OrderedJson usage_json(const RunRecord& record) {
  OrderedJson usage{{"completion_tokens", record.num_tokens}, {"prompt_tokens", record.prompt_tokens}};
  if (record.key.mode == RunMode::spec) usage["correct_tokens"] = OrderedJson(record.correct_tokens);
  usage["time_spend"] = record.latency;
  if (record.key.mode == RunMode::spec) usage["try_correct"] = record.num_validations;
  usage["finish_reason"] = record.finish_reason;
  usage["ledger"] = OrderedJson(to_json(record.ledger));
  usage["segments"] = OrderedJson(record.segments);
  if (record.extra.contains("origins")) usage["origins"] = OrderedJson(record.extra.at("origins"));
  return usage;
}

double rounded(double value, int digits) {
  const double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

// Each sample of each problem, in the order of the file.
template <class Document, class Use>
void for_each_sample(Document& document, const std::string& source, Use use) {
  for (auto& [text, problem] : document.items()) {
    try {
      for (auto& [temperature, samples] : problem.at("responses").items()) {
        for (std::size_t i = 0; i < samples.size(); ++i) {
          use(text, problem, temperature, samples.at(i), problem.at("token_usages").at(temperature).at(i));
        }
      }
    } catch (const nlohmann::json::exception& error) {
      throw UserError("{}: the problem {} has not the keys of an evaluation ({})", source, excerpt(Json(text)),
                      error.what());
    }
  }
}

OrderedJson statistics_json(const std::vector<ProblemSamples>& samples) {
  OrderedJson json{{"accuracy", to_json(accuracy(samples))}};
  for (const ProportionAtK& at : accuracy_at_k(samples)) {
    json["pass_at_k"][std::to_string(at.k)] = to_json(at.pass);
    json["maj_at_k"][std::to_string(at.k)] = to_json(at.majority);
  }
  return json;
}

}  // namespace

std::string temperature_key(double temperature) { return python::repr(temperature); }

std::string eval_file_stem(const EvalName& name) {
  std::vector<std::string> temperatures;
  for (const double temperature : name.temperatures) temperatures.push_back(temperature_key(temperature));
  std::string stem =
      fmt::format("{}_{}_{}_subset_{}_filter_{}_s{}_e{}_t{}_n{}", name.system, name.task, name_part(name.split),
                  name_part(name.subset), name.filter_difficulty ? "True" : "False", name.start, name.end,
                  fmt::join(temperatures, ","), name.n);
  const auto& lower = name.math_difficulty_lower_bound;
  const auto& upper = name.math_difficulty_upper_bound;
  if (name.is_one_model && (lower || upper)) {
    stem = fmt::format("{}_{}_{}", name.system, stem, upper ? fmt::format("{}", *upper) : "None");
  }
  if (name.difficulty) stem += "_difficulty_" + name_part(*name.difficulty);
  if (name.source) stem += "_source_" + name_part(*name.source);
  if (lower) stem += fmt::format("_lower_{}", *lower);
  if (upper && !name.is_one_model) stem += fmt::format("_upper_{}", *upper);
  return stem;
}

OrderedJson eval_document(const std::string& task, std::span<const Problem> problems, std::span<const EvalStage> stages,
                          const Conversation& conversation_of) {
  std::vector<OrderedJson> entries;
  for (const Problem& problem : problems) {
    OrderedJson conversation = conversation_of(problem.prompt);
    entries.push_back({{"id", OrderedJson(problem.id)},
                       {"task", task},
                       {"gold", problem.answer ? OrderedJson(*problem.answer) : OrderedJson()},
                       {"responses", OrderedJson::object()},
                       {"token_usages", OrderedJson::object()},
                       {"prompt", conversation.back().at("content")},
                       {"input_conversation", std::move(conversation)}});
  }
  for (const EvalStage& stage : stages) {
    const std::string key = temperature_key(stage.temperature);
    for (const RunRecord& record : stage.records) {
      OrderedJson& entry = entries.at(record.key.problem);
      entry["responses"][key].push_back(response_json(record, problems[record.key.problem].answer));
      entry["token_usages"][key].push_back(usage_json(record));
    }
  }
  OrderedJson document = OrderedJson::object();
  for (std::size_t i = 0; i < problems.size(); ++i) {
    std::string text = problems[i].problem;
    if (document.contains(text)) text += fmt::format(" ({})", excerpt(problems[i].id));
    document[text] = std::move(entries[i]);
  }
  return document;
}

OrderedJson eval_metrics(const OrderedJson& document, const std::string& source) {
  struct OfTemperature {
    std::map<std::string, SampleCounter> problems;
    std::size_t right = 0;
    std::size_t judged = 0;
  };
  std::map<std::string, OfTemperature> temperatures;
  std::int64_t completion = 0;
  std::int64_t prompt = 0;
  std::size_t responses = 0;
  for_each_sample(document, source,
                  [&](const std::string& text, const OrderedJson&, const std::string& temperature,
                      const OrderedJson& response, const OrderedJson& usage) {
                    ++responses;
                    completion += usage.at("completion_tokens").get<std::int64_t>();
                    prompt += usage.at("prompt_tokens").get<std::int64_t>();
                    const OrderedJson correctness = response.value("correctness", OrderedJson());
                    if (!correctness.is_boolean()) return;
                    OfTemperature& of = temperatures[temperature];
                    const bool correct = correctness.get<bool>();
                    ++of.judged;
                    if (correct) ++of.right;
                    std::optional<std::string> answer;
                    const OrderedJson given = response.value("answer", OrderedJson());
                    if (given.is_string()) answer = given.get<std::string>();
                    of.problems[text].add(correct, answer);
                  });
  const auto mean = [&](std::int64_t sum) {
    return responses == 0 ? 0.0 : rounded(static_cast<double>(sum) / static_cast<double>(responses), 3);
  };
  OrderedJson metrics{
      {"completion_tokens", completion},   {"prompt_tokens", prompt}, {"avg_completion_tokens", mean(completion)},
      {"avg_prompt_tokens", mean(prompt)}, {"pass_at_k", nullptr},    {"accuracy", OrderedJson::object()}};
  OrderedJson statistics = OrderedJson::object();
  for (const auto& [temperature, of] : temperatures) {
    const std::string name = "temp=" + temperature;
    metrics["accuracy"][name] = rounded(static_cast<double>(of.right) / static_cast<double>(of.judged), 4);
    std::vector<ProblemSamples> samples;
    for (const auto& [text, counter] : of.problems) samples.push_back(counter.samples());
    const std::vector<ProportionAtK> at_k = accuracy_at_k(samples);
    if (at_k.size() > 1) {
      for (auto at = at_k.rbegin(); at != at_k.rend(); ++at) {
        metrics["pass_at_k"][name][fmt::format("k={}", at->k)] = rounded(100 * at->pass.mean, 3);
      }
    }
    statistics[name] = statistics_json(samples);
  }
  metrics["statistics"] = std::move(statistics);
  return metrics;
}

std::size_t check_document(OrderedJson& document, std::span<const Problem> problems, const Judge& judge,
                           const AnswerRule& rule, const std::string& source) {
  std::map<std::string, const Problem*> by_text;
  for (const Problem& problem : problems) by_text.emplace(trimmed(problem.problem), &problem);
  std::size_t judged = 0;
  for_each_sample(document, source,
                  [&](const std::string& text, OrderedJson&, const std::string&, OrderedJson& response, OrderedJson&) {
                    const auto found = by_text.find(trimmed(text));
                    if (found == by_text.end()) return;
                    RunRecord record;
                    record.generated_text = response.at("content").get<std::string>();
                    judge.record(record, *found->second, rule);
                    if (!record.correct) return;
                    response.update(response_json(record, found->second->answer));
                    ++judged;
                  });
  return judged;
}

std::string eval_file_text(const OrderedJson& document) {
  return document.dump(4, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace specthink::inline evaluation
