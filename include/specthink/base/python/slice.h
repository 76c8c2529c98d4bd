// Python's sequence[start:stop:step].
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "specthink/base/python/error.h"

namespace specthink::inline base::python {

/// Bounds count from the end where they are below 0; what is left out is empty.
struct Slice {
  std::optional<std::int64_t> start, stop, step;
};

/// The items that `slice` selects. Throws Error when its step is 0.
template <typename Items>
Items sliced(const Items& items, const Slice& slice) {
  const std::int64_t step = slice.step.value_or(1);
  if (step == 0) raise("slice step cannot be zero");
  const std::int64_t count = std::ssize(items);
  const std::int64_t lowest = step < 0 ? -1 : 0;
  const std::int64_t highest = step < 0 ? count - 1 : count;
  const auto position = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
    if (!bound) return otherwise;
    if (*bound >= 0) return std::min(*bound, highest);
    return *bound < -count ? lowest : std::max(*bound + count, lowest);
  };
  const std::int64_t end = position(slice.stop, step < 0 ? lowest : highest);
  Items result;
  for (std::int64_t i = position(slice.start, step < 0 ? highest : lowest); step < 0 ? i > end : i < end;) {
    result.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return result;
}

}  // namespace specthink::inline base::python
