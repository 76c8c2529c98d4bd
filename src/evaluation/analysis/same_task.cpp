#include "evaluation/analysis/same_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "specthink/base/lowercase.h"

namespace specthink::inline evaluation {
namespace {

/// The first series of each one's task.
std::vector<std::size_t> first_of_task(const std::vector<ResultSeries>& series,
                                       const std::vector<std::vector<std::size_t>>& place) {
  std::vector<std::size_t> first(series.size());
  std::iota(first.begin(), first.end(), 0);
  const auto root = [&](std::size_t i) {
    while (first[i] != i) i = first[i];
    return i;
  };
  const auto join = [&](std::size_t a, std::size_t b) {
    const auto [low, high] = std::minmax({root(a), root(b)});
    first[high] = low;
  };
  std::map<std::size_t, std::size_t> with_problem;
  std::map<std::string, std::size_t> with_name;
  for (std::size_t i = 0; i < series.size(); ++i) {
    for (const std::size_t problem : place[i]) join(i, with_problem.emplace(problem, i).first->second);
    if (!series[i].task.empty()) join(i, with_name.emplace(lowercase(series[i].task), i).first->second);
  }
  for (std::size_t i = 0; i < series.size(); ++i) first[i] = root(i);
  return first;
}

}  // namespace

std::vector<std::string> task_names(const std::vector<ResultSeries>& series,
                                    const std::vector<std::vector<std::size_t>>& place) {
  const std::vector<std::size_t> first = first_of_task(series, place);
  std::map<std::size_t, std::string> names;
  for (std::size_t i = 0; i < series.size(); ++i) {
    std::string& name = names[first[i]];
    if (name.empty()) name = series[i].task;
  }
  const auto num_unnamed =
      std::count_if(names.begin(), names.end(), [](const auto& name) { return name.second.empty(); });
  std::set<std::string> used;
  for (auto& [of, name] : names) {
    if (name.empty() && num_unnamed > 1) name = fmt::format("problems of {}", series[of].source.filename().string());
    if (!used.insert(name).second) name += fmt::format(" ({})", of + 1);
  }
  std::vector<std::string> of_series;
  for (const std::size_t task : first) of_series.push_back(names[task]);
  return of_series;
}

}  // namespace specthink::inline evaluation
