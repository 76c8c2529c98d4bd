// The checks of GPUs, driver and links.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include "app/doctor/checks.h"
#include "app/doctor/text.h"

namespace specthink::inline app::doctor {
namespace {

std::string cuda_release(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

}  // namespace

bool runs_on(const std::string& architectures, int compute_capability) {
  std::istringstream list(architectures);
  for (std::string entry; std::getline(list, entry, ',');) {
    if (entry == "native" || entry.starts_with("all")) return true;
    int built = 0;
    const auto [end, failure] = std::from_chars(entry.data(), entry.data() + entry.size(), built);
    if (failure != std::errc()) continue;
    const std::string_view suffix(end, static_cast<std::size_t>(entry.data() + entry.size() - end));
    if (suffix.starts_with('a')) {  // features of exactly this GPU
      if (built == compute_capability) return true;
      continue;
    }
    const bool has_binary = suffix.find("virtual") == suffix.npos;
    const bool has_ptx = suffix.find("real") == suffix.npos;  // compiled by the driver for any later GPU
    if (has_binary && built / 10 == compute_capability / 10 && built <= compute_capability) return true;
    if (has_ptx && built <= compute_capability) return true;
  }
  return false;
}

Check check_cuda(const CudaInfo& cuda, const std::string& architectures, Device device) {
  const bool wanted = device == Device::cuda;
  Check check{"CUDA", State::ok, "", ""};
  if (!cuda.is_built) {
    check.found = "this build has no CUDA code";
    if (wanted || cuda.has_driver) {
      check.state = wanted ? State::error : State::warning;
      check.advice = fmt::format("{}build with SPECTHINK_CUDA=ON ./launch/setup.sh",
                                 cuda.has_driver ? "there is an NVIDIA driver: " : "");
    }
    return check;
  }
  const std::string built = fmt::format("built with {} for {}", cuda_release(cuda.build_version), architectures);
  if (cuda.driver_version == 0) {
    check.found = fmt::format("{}, no usable driver{}", built, cuda.problem.empty() ? "" : " (" + cuda.problem + ")");
    check.state = wanted || cuda.has_driver ? State::error : State::warning;
    check.advice =
        "the models run on CPUs; for GPUs see that nvidia-smi works, in a container with docker run --gpus all or "
        "apptainer exec --nv";
    return check;
  }
  check.found = fmt::format("{}, driver {}{}, {}", built, cuda_release(cuda.driver_version),
                            cuda.driver_release.empty() ? "" : fmt::format(" ({})", cuda.driver_release),
                            plural(cuda.gpus.size(), "visible GPU"));
  if (cuda.driver_version / 1000 < cuda.build_version / 1000) {
    check.state = State::error;
    check.advice = fmt::format("the driver is too old: it runs CUDA {} at most; update it, or build with an older CUDA",
                               cuda_release(cuda.driver_version));
  } else if (cuda.runtime_version / 1000 != cuda.build_version / 1000) {
    check.state = State::error;
    check.advice = fmt::format("the CUDA runtime library that was loaded is {}: check LD_LIBRARY_PATH",
                               cuda_release(cuda.runtime_version));
  } else if (cuda.gpus.empty()) {
    check.state = wanted ? State::error : State::warning;
    check.found += cuda.problem.empty() ? "" : " (" + cuda.problem + ")";
    check.advice =
        "the models run on CPUs; for GPUs check nvidia-smi and CUDA_VISIBLE_DEVICES, and under Slurm that the "
        "job asks for GPUs (--gpus-per-node)";
  }
  return check;
}

Check check_gpu(int index, const GpuInfo& gpu, const std::string& architectures, double share) {
  Check check{fmt::format("GPU {}", index), State::ok, "", ""};
  check.found = fmt::format("{}, {}, {}", gpu.name, gpu.uuid, bytes_text(gpu.total_memory));
  if (gpu.free_memory >= 0) check.found += fmt::format(" ({} free)", bytes_text(gpu.free_memory));
  if (!runs_on(architectures, gpu.compute_capability)) {
    check.state = State::error;
    check.advice = fmt::format(
        "this build has no code for compute capability {}.{}: build with "
        "-DSPECTHINK_CUDA_ARCHITECTURES={}",
        gpu.compute_capability / 10, gpu.compute_capability % 10, gpu.compute_capability);
  } else if (gpu.free_memory >= 0 &&
             static_cast<double>(gpu.free_memory) < share * static_cast<double>(gpu.total_memory)) {
    check.state = State::warning;
    check.advice = fmt::format(
        "less is free than both models may take ({:.0f} %): end what else runs there (nvidia-smi), "
        "or lower --gpu-memory-utilization",
        100 * share);
  }
  return check;
}

std::vector<Check> check_links(const std::vector<GpuLink>& links) {
  if (links.empty()) return {};
  Check check{"GPU links", State::ok, "", ""};
  std::map<std::string, std::size_t> paths;
  std::vector<std::string> without_peer_access;
  for (const GpuLink& link : links) {
    ++paths[link.path + (link.type_is_known ? "" : " (guessed: no NVML)")];
    if (!link.peer_access) without_peer_access.push_back(fmt::format("{}-{}", link.a, link.b));
  }
  std::vector<std::string> texts;
  for (const auto& [path, pairs] : paths) texts.push_back(fmt::format("{}: {}", path, plural(pairs, "pair")));
  check.found = fmt::format("{}", fmt::join(texts, ", "));
  const bool all_nvlink = std::ranges::all_of(links, [](const GpuLink& link) { return link.nvlink; });
  if (!without_peer_access.empty()) {
    check.state = State::warning;
    check.found += fmt::format("; no peer access between {}", fmt::join(without_peer_access, ", "));
    check.advice =
        "every decode step goes through host memory: look for IOMMU or ACS settings of the host, or choose GPUs "
        "that are joined (nvidia-smi topo -m)";
  } else if (!all_nvlink) {
    check.state = State::warning;
    check.advice =
        "PCIe works, but each layer waits longer; choose GPUs that NVLink joins if there are (nvidia-smi topo -m)";
  } else {
    check.found += ", peer access everywhere";
  }
  return {check};
}

Check check_rank_gpus(const std::vector<RankFacts>& ranks, bool may_share) {
  Check check{"rank to GPU", State::ok, fmt::format("each of {} has its own", plural(ranks.size(), "rank")), ""};
  std::map<std::string, std::size_t> owner;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankFacts& facts = ranks[rank];
    const std::size_t gpus = facts.gpu_uuids.size();
    auto index = gpus == 1 ? 0 : static_cast<std::size_t>(facts.local_rank);
    if (may_share && gpus > 0) index %= gpus;
    if (index >= gpus) {
      check.state = State::error;
      check.found = fmt::format("{} on {}, but {}", plural(static_cast<std::size_t>(facts.local_size), "rank"),
                                facts.host, plural(gpus, "visible GPU"));
      check.advice =
          "start as many ranks a node as there are GPUs; under Slurm --gpus-per-node must be --ntasks-per-node";
      return check;
    }
    const auto [first, is_new] = owner.emplace(facts.host + facts.gpu_uuids[index], rank);
    if (is_new) continue;
    if (may_share) {
      check.state = State::warning;
      check.found =
          fmt::format("ranks {} and {} share {} (--oversubscribe-gpus)", first->second, rank, facts.gpu_uuids[index]);
      check.advice = "they take turns, and gpu_memory_utilization counts for each of them";
      return check;
    }
    check.state = State::error;
    check.found = fmt::format("ranks {} and {} are both on {}", first->second, rank, facts.gpu_uuids[index]);
    check.advice = "start fewer ranks, or check CUDA_VISIBLE_DEVICES and the task binding of Slurm (--gpu-bind=none)";
    return check;
  }
  return check;
}

}  // namespace specthink::inline app::doctor
