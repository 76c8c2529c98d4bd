#include "model/checkpoint/stored_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "model/checkpoint/stored_tensors.h"
#include "specthink/base/log.h"

namespace specthink::inline model {
namespace {

const std::string kWeight = ".weight";

/// What stands before `tail` in the name of a tensor; of several the text part of a model for images or sound, then the
/// shortest.
std::optional<std::string> find_wrapper(const Checkpoint& checkpoint, const std::string& tail) {
  std::vector<std::string> wrappers;
  for (const std::string& name : checkpoint.names()) {
    if (name == tail || name.ends_with("." + tail)) wrappers.push_back(name.substr(0, name.size() - tail.size()));
  }
  const auto rank = [](const std::string& wrapper) {
    const bool of_text = wrapper.find("language") != wrapper.npos || wrapper.find("text") != wrapper.npos;
    return std::tuple(!of_text, wrapper.size(), wrapper);
  };
  const auto best = std::ranges::min_element(wrappers, {}, rank);
  return best == wrappers.end() ? std::nullopt : std::optional(*best);
}

/// The head stands beside the wrapped model: "language_model.lm_head" beside "language_model.model.layers".
std::string find_head(const Checkpoint& checkpoint, const std::string& head, std::string wrapper) {
  while (true) {
    if (checkpoint.contains(wrapper + head + kWeight)) return wrapper + head;
    if (wrapper.empty()) return head;
    wrapper.pop_back();  // the dot
    wrapper.resize(wrapper.find_last_of('.') == wrapper.npos ? 0 : wrapper.find_last_of('.') + 1);
  }
}

void find_names(TensorNames& names, const Checkpoint& checkpoint) {
  const std::string first_norm = fmt::format(".0.{}{}", names.input_norm, kWeight);
  if (checkpoint.contains(names.layers + first_norm)) return;
  const std::string usual = names.layers.substr(0, names.layers.find('.') + 1);  // "model."
  const auto wrapper = find_wrapper(checkpoint, names.layers.substr(usual.size()) + first_norm);
  if (!wrapper) return;  // the tensor is missing under any name, which is reported where it is needed
  for (std::string* name : {&names.embedding, &names.final_norm, &names.layers}) {
    if (name->starts_with(usual)) *name = *wrapper + name->substr(usual.size());
  }
  names.head = find_head(checkpoint, names.head, *wrapper);
}

}  // namespace

void settle_names(ModelConfig& config, const Checkpoint& checkpoint) {
  TensorNames& names = config.tensors;
  if (std::exchange(names.settled, true)) return;
  find_names(names, checkpoint);
  if (!config.tie_word_embeddings || !checkpoint.contains(names.head + kWeight)) return;
  if (!checkpoint.contains(names.embedding + kWeight)) {
    names.embedding = names.head;
    return;
  }
  const std::vector<std::int64_t> shape{config.vocab_size, config.hidden_size};
  const StoredTensor& head = checkpoint.require(names.head + kWeight, shape);
  if (same_values(head, checkpoint.require(names.embedding + kWeight, shape))) return;
  spdlog::warn(
      "{}: config.json ties the head to the embedding, but the weights have a head of their own that differs: the "
      "stored head is used",
      head.where());
  config.tie_word_embeddings = false;
}

}  // namespace specthink::inline model
