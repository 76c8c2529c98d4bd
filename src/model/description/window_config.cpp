#include "model/description/window_config.h"

#include <algorithm>

#include "model/description/rope_config.h"
#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

/// The size; 0 for null, which means none.
std::int64_t parse_size(const ConfigReader& config, const Family& family) {
  if (config.contains("sliding_window") && !config.has("sliding_window")) return 0;
  return config.integer("sliding_window", 1, kMaxContext, family.default_window.value_or(0));
}

/// layer_types says of each layer which kind it is.
std::vector<std::int64_t> parse_layer_types(const ConfigReader& config, std::int64_t size, std::int64_t num_layers) {
  const Json& types = *config.find("layer_types");
  if (!types.is_array() || types.size() != static_cast<std::size_t>(num_layers)) {
    config.fail("layer_types", fmt::format("a list of {} layer types", num_layers));
  }
  std::vector<std::int64_t> windows;
  for (const Json& type : types) {
    if (type != "full_attention" && type != "sliding_attention") {
      throw UserError("{}: layer_types: expected full_attention or sliding_attention, found {}", config.file(),
                      excerpt(type));
    }
    if (type == "sliding_attention" && size == 0) {
      throw UserError(
          "{}: layer_types: a layer is sliding_attention, but the size of the window is missing: expected "
          "use_sliding_window true and a sliding_window",
          config.file());
    }
    windows.push_back(type == "sliding_attention" ? size : 0);
  }
  return windows;
}

}  // namespace

std::vector<std::int64_t> parse_windows(const ConfigReader& config, const Family& family, std::int64_t num_layers) {
  constexpr std::int64_t kDefaultFirst = 28;  // transformers' default of max_window_layers
  if (family.windows == Windows::none) return {};
  const bool by_layer_types = family.windows == Windows::by_layer_types;
  const bool any = !by_layer_types || config.boolean("use_sliding_window", false);
  const std::int64_t size = any ? parse_size(config, family) : 0;

  std::vector<std::int64_t> windows;
  if (by_layer_types && config.has("layer_types")) {
    windows = parse_layer_types(config, size, num_layers);
  } else if (size > 0) {
    const std::int64_t first = by_layer_types ? config.integer("max_window_layers", 0, kMaxContext, kDefaultFirst) : 0;
    for (std::int64_t layer = 0; layer < num_layers; ++layer) windows.push_back(layer >= first ? size : 0);
  }
  if (std::ranges::all_of(windows, [](std::int64_t window) { return window == 0; })) windows.clear();
  return windows;
}

}  // namespace specthink::inline model
