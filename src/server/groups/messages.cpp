#include "server/groups/messages.h"

namespace specthink::inline server {

Json to_json(const RunOrder& order) {
  return {{"alone", order.alone ? Json(static_cast<int>(*order.alone)) : Json(nullptr)},
          {"prompt", order.prompt},
          {"prompt_text", order.prompt_text},
          {"max_tokens", order.max_tokens},
          {"ignore_eos", order.ignore_eos},
          {"logprobs", order.logprobs},
          {"schedule", order.schedule},
          {"sampling", {order.sampling.temperature, order.sampling.top_p, order.sampling.top_k}},
          {"draw", {order.draw.seed, order.draw.problem, order.draw.run}}};
}

RunOrder parse_order(const Json& object) {
  RunOrder order;
  if (!object.at("alone").is_null()) order.alone = static_cast<Role>(object.at("alone").get<int>());
  order.prompt = object.at("prompt").get<TokenIds>();
  order.prompt_text = object.at("prompt_text").get<std::string>();
  order.max_tokens = object.at("max_tokens").get<int>();
  order.ignore_eos = object.at("ignore_eos").get<bool>();
  order.logprobs = object.at("logprobs").get<bool>();
  order.schedule = object.at("schedule");
  const Json& sampling = object.at("sampling");
  order.sampling = {sampling.at(0).get<float>(), sampling.at(1).get<float>(), sampling.at(2).get<std::int32_t>()};
  const Json& draw = object.at("draw");
  order.draw = {draw.at(0).get<std::uint64_t>(), draw.at(1).get<std::uint32_t>(), draw.at(2).get<std::uint32_t>()};
  return order;
}

}  // namespace specthink::inline server
