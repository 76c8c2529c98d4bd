#include "server/api/completion_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "specthink/base/error.h"
#include "specthink/config/settings.h"

namespace specthink::inline server {
namespace {

constexpr std::int64_t kMaxSamples = 128;
constexpr std::size_t kMaxPrompts = 128;
constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxStopBytes = 1024;
constexpr int kCompletionTokens = 16;  // of /v1/completions where nothing is said, as the API has it

[[noreturn]] void fail(const std::string& message, const std::string& param) {
  throw BadRequest{{400, message, param}};
}

const ServedModel& choose_model(Fields& fields, std::span<const ServedModel> models) {
  const std::optional<std::string> name = fields.text("model");
  if (!name) return models.front();
  const auto found = std::ranges::find(models, *name, &ServedModel::name);
  if (found != models.end()) return *found;
  std::vector<std::string> names;
  for (const ServedModel& model : models) names.push_back(model.name);
  throw BadRequest{{404, fmt::format("there is no model '{}'; there are: {}", *name, fmt::join(names, ", ")), "model"}};
}

/// The text of a message: as it is, or of its parts.
OrderedJson content_of(const OrderedJson& content, const std::string& path) {
  if (content.is_string() || content.is_null()) return content;
  if (!content.is_array()) fail(path + ": expected a text or a list of parts", path);
  std::string text;
  for (const OrderedJson& part : content) {
    const auto type = part.is_object() ? part.find("type") : part.end();
    if (!part.is_object() || type == part.end() || !type->is_string()) {
      fail(path + ": expected parts such as {\"type\": \"text\", \"text\": ...}", path);
    }
    if (*type != "text")
      fail(fmt::format("{}: parts of type '{}' are not supported, text alone is", path, type->get<std::string>()),
           path);
    const auto words = part.find("text");
    if (words == part.end() || !words->is_string()) fail(path + ": expected a text in each part", path);
    if (!text.empty()) text += '\n';
    text += words->get<std::string>();
  }
  return text;
}

OrderedJson read_messages(Fields& fields) {
  const OrderedJson* given = fields.find("messages");
  if (!given || !given->is_array() || given->empty()) fields.fail("messages", "a list of at least one message");
  OrderedJson messages = OrderedJson::array();
  for (std::size_t i = 0; i < given->size(); ++i) {
    const std::string path = fmt::format("messages[{}]", i);
    OrderedJson message = (*given)[i];
    Fields parts(message, path);
    const std::optional<std::string> role = parts.text("role");
    if (!role) parts.fail("role", "a text such as user");
    parts.refuse("tool_calls", {OrderedJson::array()}, "there are no tools");
    parts.refuse("function_call", {}, "there are no functions");
    const auto content = message.find("content");
    const bool may_be_empty = *role == "assistant";
    if (content == message.end() || (content->is_null() && !may_be_empty)) parts.fail("content", "a text");
    message["content"] = content_of(*content, path + ".content");
    messages.push_back(std::move(message));
  }
  return messages;
}

bool is_id_list(const OrderedJson& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const auto& id) { return id.is_number(); });
}

TokenIds read_ids(const OrderedJson& list) {
  TokenIds ids;
  for (const OrderedJson& id : list) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() > INT32_MAX) {
      fail("'prompt': expected token ids", "prompt");
    }
    ids.push_back(static_cast<TokenId>(id.get<std::int64_t>()));
  }
  return ids;
}

/// One or several prompts, as text or as token ids.
std::vector<RunRequest> read_prompts(Fields& fields) {
  const OrderedJson* given = fields.find("prompt");
  if (!given) fields.fail("prompt", "a text, a list of token ids, or a list of these");
  std::vector<RunRequest> runs;
  const auto add = [&](const OrderedJson& prompt) {
    RunRequest run;
    if (prompt.is_string()) {
      run.text = prompt.get<std::string>();
    } else if (is_id_list(prompt)) {
      run.ids = read_ids(prompt);
    } else {
      fields.fail("prompt", "a text, a list of token ids, or a list of these");
    }
    runs.push_back(std::move(run));
  };
  if (!given->is_array() || is_id_list(*given)) {
    add(*given);
    return runs;
  }
  if (given->empty() || given->size() > kMaxPrompts) fields.fail("prompt", fmt::format("1 to {} prompts", kMaxPrompts));
  for (const OrderedJson& prompt : *given) add(prompt);
  return runs;
}

std::vector<std::string> read_stop(Fields& fields) {
  const OrderedJson* given = fields.find("stop");
  if (!given) return {};
  const std::string expected =
      fmt::format("a text, or a list of up to {}, each of 1 to {} bytes", kMaxStops, kMaxStopBytes);
  std::vector<std::string> stop;
  const auto add = [&](const OrderedJson& text) {
    if (!text.is_string()) fields.fail("stop", expected);
    stop.push_back(text.get<std::string>());
    if (stop.back().empty() || stop.back().size() > kMaxStopBytes) fields.fail("stop", expected);
  };
  if (!given->is_array()) {
    add(*given);
    return stop;
  }
  if (given->size() > kMaxStops) fields.fail("stop", expected);
  for (const OrderedJson& text : *given) add(text);
  return stop;
}

std::optional<int> read_max_tokens(Fields& fields) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  const std::optional<std::int64_t> old_name = fields.integer("max_tokens", 1, kMost);
  const std::optional<std::int64_t> new_name = fields.integer("max_completion_tokens", 1, kMost);
  if (old_name && new_name && *old_name != *new_name) {
    fail("'max_tokens' and 'max_completion_tokens' differ; leave one of them out", "max_tokens");
  }
  if (!old_name && !new_name) return std::nullopt;
  return static_cast<int>(new_name.value_or(old_name.value_or(0)));
}

void read_sampling(Fields& fields, SamplingParams& sampling) {
  if (const auto temperature = fields.number("temperature", 0, 100))
    sampling.temperature = static_cast<float>(*temperature);
  if (const auto top_p = fields.number("top_p", 0, 1)) {
    if (*top_p == 0) fields.fail("top_p", "a number above 0, at most 1");
    sampling.top_p = static_cast<float>(*top_p);
  }
  if (const auto top_k = fields.integer("top_k", -1, INT32_MAX)) sampling.top_k = std::max(0, static_cast<int>(*top_k));
}

/// Whether the answer is to have log-probabilities: a chat says so, a completion gives a number of tokens at each place
/// beside the one that was written.
bool read_logprobs(Fields& fields, Endpoint endpoint) {
  if (endpoint == Endpoint::chat) return fields.boolean("logprobs").value_or(false);
  const auto others = fields.integer("logprobs", 0, INT32_MAX);
  if (others.value_or(0) > 0) {
    fail("'logprobs': 0 alone is supported: log-probabilities are those of the tokens that were written", "logprobs");
  }
  return others.has_value();
}

/// Fields of the API, or of other servers, that would change the answer.
void refuse_unsupported(Fields& fields) {
  const OrderedJson none = OrderedJson::array();
  const OrderedJson empty = OrderedJson::object();
  fields.refuse("tools", {none}, "the models call no tools");
  fields.refuse("tool_choice", {"none", "auto"}, "the models call no tools");
  fields.refuse("functions", {none}, "the models call no functions");
  fields.refuse("function_call", {"none", "auto"}, "the models call no functions");
  fields.refuse("response_format", {{{"type", "text"}}}, "answers are free text");
  for (const char* name : {"guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"}) {
    fields.refuse(name, {}, "answers are free text");
  }
  fields.refuse("logit_bias", {empty}, "tokens are drawn as the models weigh them");
  fields.refuse("top_logprobs", {0}, "log-probabilities are those of the tokens that were written");
  fields.refuse("prompt_logprobs", {0},
                "log-probabilities are those of the tokens that were written; `specthink score` "
                "has those of a text");
  for (const char* name : {"frequency_penalty", "presence_penalty", "min_p"}) {
    fields.refuse(name, {0, 0.0}, "tokens are drawn by temperature, top_p and top_k");
  }
  for (const char* name : {"repetition_penalty", "length_penalty"}) {
    fields.refuse(name, {1, 1.0}, "tokens are drawn by temperature, top_p and top_k");
  }
  fields.refuse("min_tokens", {0}, "answers end where the model ends them");
  fields.refuse("stop_token_ids", {none}, "give texts with stop");
  fields.refuse("bad_words", {none}, "tokens are drawn as the models weigh them");
  fields.refuse("include_stop_str_in_output", {false}, "the answer ends before a stop text");
  fields.refuse("skip_special_tokens", {true}, "special tokens are no text");
  fields.refuse("use_beam_search", {false}, "answers are sampled");
  fields.refuse("best_of", {1}, "give n");
  fields.refuse("echo", {false}, "the answer alone is returned");
  fields.refuse("suffix", {""}, "text is written at the end");
  fields.refuse("add_generation_prompt", {true}, "a chat goes on with an answer");
  fields.refuse("continue_final_message", {false}, "a chat goes on with an answer");
  fields.refuse("modalities", {OrderedJson::array({"text"})}, "answers are text");
  fields.refuse("audio", {}, "answers are text");
  fields.refuse("prediction", {}, "the engine's own proposers are used");
  for (const char* name : {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                           "parallel_tool_calls", "reasoning_effort", "verbosity", "priority", "request_id"}) {
    fields.ignore(name);
  }
}

}  // namespace

CompletionRequest parse_completion(Endpoint endpoint, std::string_view body, std::span<const ServedModel> models,
                                   const SamplingParams& defaults) {
  OrderedJson json;
  try {
    json = parse_messages(body, "the body");
  } catch (const UserError& error) {
    fail(error.what(), "");
  }
  Fields fields(json);
  CompletionRequest request;
  request.endpoint = endpoint;
  const ServedModel& model = choose_model(fields, models);
  request.model = model.name;
  if (endpoint == Endpoint::chat) {
    request.runs.emplace_back().messages = read_messages(fields);
  } else {
    request.runs = read_prompts(fields);
  }
  std::optional<int> max_tokens = read_max_tokens(fields);
  if (!max_tokens && endpoint == Endpoint::completions) max_tokens = kCompletionTokens;
  const bool ignore_eos = fields.boolean("ignore_eos").value_or(false);
  const OrderedJson* kwargs = endpoint == Endpoint::chat ? fields.object("chat_template_kwargs") : nullptr;
  for (const char* key : kReservedTemplateVariables) {
    if (kwargs && kwargs->contains(key))
      fail(fmt::format("'chat_template_kwargs': '{}' is not for the client to set", key), "chat_template_kwargs");
  }
  const OrderedJson* schedule = fields.object("schedule");
  if (schedule && model.alone) fail("'schedule' is for the pair of models; this model writes alone", "schedule");
  const auto thinking_budget = fields.integer("thinking_budget", 1, INT32_MAX / 2);
  request.logprobs = read_logprobs(fields, endpoint);
  for (RunRequest& run : request.runs) {
    run.alone = model.alone;
    run.max_tokens = max_tokens;
    run.ignore_eos = ignore_eos;
    run.logprobs = request.logprobs;
    if (kwargs) run.chat_template_kwargs = *kwargs;
    if (schedule) run.schedule = *schedule;
    if (thinking_budget) run.schedule["thinking_budget"] = *thinking_budget;
  }
  request.n = static_cast<int>(fields.integer("n", 1, kMaxSamples).value_or(1));
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) request.seed = static_cast<std::uint64_t>(*seed);
  request.sampling = defaults;
  read_sampling(fields, request.sampling);
  request.stop = read_stop(fields);
  request.stream = fields.boolean("stream").value_or(false);
  if (const OrderedJson* options = fields.object("stream_options")) {
    if (!request.stream) fail("'stream_options' is for streams; set 'stream'", "stream_options");
    Fields stream(*options, "stream_options");
    request.include_usage = stream.boolean("include_usage").value_or(false);
    stream.ignore("continuous_usage_stats");
    stream.ignore("include_obfuscation");
    stream.check_all_known();
  }
  refuse_unsupported(fields);
  fields.check_all_known();
  return request;
}

}  // namespace specthink::inline server
