#include "server/answer/replies.h"

#include <fmt/format.h>

#include <atomic>
#include <ctime>
#include <random>

#include "specthink/report/ledger.h"

namespace specthink::inline server {
namespace {

/// What a tokenizer gives is valid UTF-8; stop texts and names come from parsed JSON.
std::string json_line(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string json_text(const std::string& text) { return json_line(text); }

std::string new_id(Endpoint endpoint) {
  static std::atomic<std::uint32_t> count{0};
  static const std::uint64_t process = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return fmt::format("{}-{:016x}{:08x}", endpoint == Endpoint::chat ? "chatcmpl" : "cmpl", process, count.fetch_add(1));
}

Json usage_json(const UsageRecord& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"ledger", to_json(usage.ledger)}};
}

Json origins_json(const ChoiceRecord& record) {
  Json origins = Json::array();
  for (const auto& [origin, characters] : record.origins) origins.push_back({name_of(origin), characters});
  return origins;
}

Json nullable(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

const char* name_of(Origin origin) {
  constexpr const char* kNames[] = {"draft", "target", "injected"};  // by Origin
  return kNames[static_cast<std::size_t>(origin)];
}

ReplyWriter::ReplyWriter(const CompletionRequest& request)
    : endpoint_(request.endpoint),
      includes_usage_(request.include_usage),
      id_(new_id(request.endpoint)),
      created_(static_cast<std::int64_t>(std::time(nullptr))),
      model_(request.model) {
  head_ = fmt::format(R"(data: {{"id":"{}","object":"{}","created":{},"model":{},"choices":[)", id_,
                      endpoint_ == Endpoint::chat ? "chat.completion.chunk" : "text_completion", created_,
                      json_text(model_));
}

std::string ReplyWriter::whole(const std::vector<ChoiceRecord>& choices, const UsageRecord& usage) const {
  Json body{{"id", id_},
            {"object", endpoint_ == Endpoint::chat ? "chat.completion" : "text_completion"},
            {"created", created_},
            {"model", model_},
            {"choices", Json::array()},
            {"usage", usage_json(usage)}};
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const ChoiceRecord& record = choices[i];
    Json choice{{"index", i},
                {"finish_reason", record.finish_reason},
                {"stop_reason", record.stop_reason ? Json(*record.stop_reason) : Json(nullptr)},
                {"logprobs", record.logprobs},
                {"specthink", {{"origins", origins_json(record)}}}};
    if (endpoint_ == Endpoint::chat) {
      // A thought that has not ended leaves no answer.
      const bool has_answer = !record.answer.empty() || record.thought.empty();
      choice["message"] = {{"role", "assistant"},
                           {"content", has_answer ? Json(record.answer) : Json(nullptr)},
                           {"refusal", nullptr},
                           {"reasoning", nullable(record.thought)},
                           {"reasoning_content", nullable(record.thought)}};
    } else {
      choice["text"] = record.answer;
    }
    body["choices"].push_back(std::move(choice));
  }
  return json_line(body);
}

std::string ReplyWriter::event(const std::string& choices) const {
  return head_ + choices + (includes_usage_ ? "],\"usage\":null}\n\n" : "]}\n\n");
}

std::string ReplyWriter::first(std::size_t choice) const {
  if (endpoint_ == Endpoint::completions) return "";
  return event(fmt::format(
      R"({{"index":{},"delta":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}})", choice));
}

std::string ReplyWriter::part(std::size_t choice, const Delta& delta, const Json& logprobs) const {
  const std::string text = json_text(delta.text);
  std::string content;
  if (endpoint_ == Endpoint::completions) {
    content = fmt::format(R"("text":{})", text);
  } else if (delta.is_thought) {
    content = fmt::format(R"("delta":{{"reasoning":{0},"reasoning_content":{0}}})", text);
  } else {
    content = fmt::format(R"("delta":{{"content":{}}})", text);
  }
  return event(fmt::format(R"({{"index":{},{},"logprobs":{},"finish_reason":null,"specthink":{{"origin":"{}"}}}})",
                           choice, content, json_line(logprobs), name_of(delta.origin)));
}

std::string ReplyWriter::last(std::size_t choice, const ChoiceRecord& record) const {
  return event(fmt::format(R"({{"index":{},{},"logprobs":{},"finish_reason":"{}","stop_reason":{}}})", choice,
                           endpoint_ == Endpoint::chat ? R"("delta":{})" : R"("text":"")", json_line(record.logprobs),
                           record.finish_reason, record.stop_reason ? json_text(*record.stop_reason) : "null"));
}

std::string ReplyWriter::usage(const UsageRecord& usage) const {
  if (!includes_usage_) return "";
  return head_ + "],\"usage\":" + usage_json(usage).dump() + "}\n\n";
}

}  // namespace specthink::inline server
