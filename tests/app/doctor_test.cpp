// specthink doctor: what it makes of made-up machines, and the command itself on this one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <thread>

#include "app/background_program.h"
#include "app/doctor/checks.h"
#include "app/program.h"
#include "specthink/base/file.h"

namespace specthink::doctor {
namespace {

using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::random_pair;
using testing_support::run_program;
using testing_support::ScopedVariable;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

std::vector<RankFacts> ranks_on(const std::vector<std::string>& hosts) {
  std::vector<RankFacts> ranks;
  for (const std::string& host : hosts) {
    const auto before = std::ranges::count(ranks, host, &RankFacts::host);
    const auto all = std::ranges::count(hosts, host);
    ranks.push_back({host, static_cast<int>(before), static_cast<int>(all), 8, 8, {"GPU-a", "GPU-b"}});
  }
  return ranks;
}

CudaInfo good_cuda() {
  CudaInfo cuda;
  cuda.is_built = true;
  cuda.has_driver = true;
  cuda.build_version = cuda.runtime_version = cuda.driver_version = 13000;
  cuda.driver_release = "580.65.06";
  cuda.gpus = {{"NVIDIA H100", "GPU-a", 90, 80 * kGiB, 79 * kGiB, 18},
               {"NVIDIA H100", "GPU-b", 90, 80 * kGiB, 79 * kGiB, 18}};
  cuda.links = {{0, 1, true, true, true, "NVLink"}};
  return cuda;
}

void expect(const Check& check, State state, const std::string& part) {
  EXPECT_EQ(name_of(check.state), std::string(name_of(state))) << to_text(check);
  EXPECT_NE(to_text(check).find(part), std::string::npos) << "'" << part << "' is not in: " << to_text(check);
  EXPECT_TRUE(state == State::ok || !check.advice.empty()) << "says what to do: " << to_text(check);
}

TEST(doctor_checks, mpi_wants_as_many_ranks_on_each_node) {
  expect(check_mpi("Open MPI v4.1.6", ranks_on({"a", "a", "b", "b"}), Launcher::srun), State::ok,
         "4 ranks on 2 nodes (a: 2, b: 2), started by srun");
  expect(check_mpi("Open MPI v4.1.6", ranks_on({"a", "a", "b"}), Launcher::mpirun), State::warning, "a: 2, b: 1");
}

TEST(doctor_checks, threads_need_cores) {
  std::vector<RankFacts> ranks = ranks_on({"a", "a"});
  ranks[1].cores = 2;
  expect(check_cores(ranks, /*on_cpu=*/true), State::warning, "2 cores for its 8 threads");
  expect(check_cores(ranks, /*on_cpu=*/false), State::ok, "8 cores");
  ranks[1].cores = 1;
  expect(check_cores(ranks, /*on_cpu=*/false), State::warning, "a rank on a has 1 core");
}

TEST(doctor_checks, code_runs_on_the_architectures_it_was_built_for) {
  EXPECT_TRUE(runs_on("90a", 90));
  EXPECT_FALSE(runs_on("90a", 100));
  EXPECT_FALSE(runs_on("90a", 80));
  EXPECT_TRUE(runs_on("80,90a", 86)) << "binary code of an earlier minor version";
  EXPECT_TRUE(runs_on("80", 90)) << "PTX";
  EXPECT_FALSE(runs_on("80-real", 90));
  EXPECT_TRUE(runs_on("80-real", 89));
  EXPECT_FALSE(runs_on("86-real", 80));
  EXPECT_TRUE(runs_on("80-virtual", 90));
  EXPECT_TRUE(runs_on("native", 75));
  EXPECT_FALSE(runs_on("", 90));
}

TEST(doctor_checks, cuda_driver_against_the_build) {
  expect(check_cuda(good_cuda(), "90a", Device::automatic), State::ok, "driver 13.0 (580.65.06), 2 visible GPUs");
  CudaInfo cuda = good_cuda();
  cuda.driver_version = 12080;
  expect(check_cuda(cuda, "90a", Device::automatic), State::error, "12.8");
  cuda = good_cuda();
  cuda.driver_version = 13010;
  expect(check_cuda(cuda, "90a", Device::automatic), State::ok, "13.1");
  cuda = good_cuda();
  cuda.runtime_version = 12080;
  expect(check_cuda(cuda, "90a", Device::automatic), State::error, "LD_LIBRARY_PATH");
  cuda = good_cuda();
  cuda.gpus.clear();
  expect(check_cuda(cuda, "90a", Device::automatic), State::warning, "CUDA_VISIBLE_DEVICES");
  expect(check_cuda(cuda, "90a", Device::cuda), State::error, "CUDA_VISIBLE_DEVICES");
  cuda.has_driver = false;
  cuda.driver_version = 0;
  expect(check_cuda(cuda, "90a", Device::automatic), State::warning, "no usable driver");
  cuda.has_driver = true;
  expect(check_cuda(cuda, "90a", Device::automatic), State::error, "no usable driver");
}

TEST(doctor_checks, a_build_without_cuda_matters_where_there_are_gpus) {
  CudaInfo cuda;
  EXPECT_EQ(check_cuda(cuda, "90a", Device::automatic).state, State::ok);
  expect(check_cuda(cuda, "90a", Device::cuda), State::error, "SPECTHINK_CUDA=ON");
  cuda.has_driver = true;
  expect(check_cuda(cuda, "90a", Device::automatic), State::warning, "there is an NVIDIA driver");
}

TEST(doctor_checks, a_gpu_needs_code_and_free_memory) {
  GpuInfo gpu = good_cuda().gpus[0];
  expect(check_gpu(0, gpu, "90a", 0.8), State::ok, "80.0 GiB (79.0 GiB free)");
  gpu.free_memory = 60 * kGiB;
  expect(check_gpu(0, gpu, "90a", 0.8), State::warning, "80 %");
  gpu.free_memory = -1;
  EXPECT_EQ(check_gpu(0, gpu, "90a", 0.8).state, State::ok) << "not known";
  gpu.compute_capability = 80;
  expect(check_gpu(0, gpu, "90a", 0.8), State::error, "-DSPECTHINK_CUDA_ARCHITECTURES=80");
}

TEST(doctor_checks, links_are_counted_and_slow_ones_named) {
  EXPECT_TRUE(check_links({}).empty());
  std::vector<GpuLink> links{
      {0, 1, true, true, true, "NVLink"}, {0, 2, true, true, true, "NVLink"}, {1, 2, true, true, true, "NVLink"}};
  expect(check_links(links)[0], State::ok, "NVLink: 3 pairs");
  links[1] = {0, 2, true, false, true, "PCIe across CPU sockets"};
  expect(check_links(links)[0], State::warning, "PCIe across CPU sockets: 1 pair");
  links[2].peer_access = false;
  expect(check_links(links)[0], State::warning, "no peer access between 1-2");
  links = {{0, 1, true, true, false, "NVLink"}};
  expect(check_links(links)[0], State::ok, "guessed");
}

TEST(doctor_checks, each_rank_needs_a_gpu_of_its_own) {
  std::vector<RankFacts> ranks = ranks_on({"a", "a", "b", "b"});
  EXPECT_EQ(check_rank_gpus(ranks, false).state, State::ok) << "the same UUIDs on two nodes are different GPUs";
  for (RankFacts& rank : ranks) rank.gpu_uuids = {"GPU-" + std::to_string(rank.local_rank)};
  EXPECT_EQ(check_rank_gpus(ranks, false).state, State::ok) << "bound by the launcher";
  ranks[3].gpu_uuids = {"GPU-0"};
  expect(check_rank_gpus(ranks, false), State::error, "ranks 2 and 3 are both on GPU-0");
  expect(check_rank_gpus(ranks, true), State::warning, "ranks 2 and 3 share GPU-0");
  expect(check_rank_gpus(ranks_on({"a", "a", "a"}), false), State::error, "3 ranks on a, but 2 visible GPUs");
  expect(check_rank_gpus(ranks_on({"a", "a", "a"}), true), State::warning, "ranks 0 and 2 share");
}

TEST(doctor_checks, all_reduce_must_be_right_and_fast) {
  EXPECT_EQ(check_all_reduce(15, true, "NCCL 2.28", false, true).state, State::ok);
  expect(check_all_reduce(150, true, "NCCL 2.28", false, true), State::warning, "NCCL_P2P_DISABLE");
  EXPECT_EQ(check_all_reduce(150, true, "NCCL 2.28", false, false).state, State::ok);
  expect(check_all_reduce(900, true, "NCCL 2.28", false, false), State::warning, "NCCL_SOCKET_IFNAME");
  EXPECT_EQ(check_all_reduce(900, true, "MPI", true, true).state, State::ok);
  expect(check_all_reduce(15, false, "NCCL 2.28", false, true), State::error, "wrong");
}

TEST(doctor_checks, limits_matter_where_they_are_used) {
  const auto states = [](const std::vector<Check>& checks) {
    std::string result;
    for (const Check& check : checks) result += check.name + " " + name_of(check.state) + ";";
    return result;
  };
  const Limits small{8 << 20, 64 << 20, 60 << 20, 256};
  EXPECT_EQ(states(check_limits(small, 2, true, false)), "memlock warning;/dev/shm warning;open files warning;");
  EXPECT_EQ(states(check_limits(small, 1, true, true)), "memlock ok;/dev/shm ok;open files warning;");
  EXPECT_EQ(states(check_limits({-1, 2 * kGiB, kGiB, -1}, 8, true, false)), "memlock ok;/dev/shm ok;open files ok;");
}

TEST(doctor_checks, a_model_is_held_against_the_memory) {
  const ModelSettings settings = [] {
    ModelSettings result;
    result.max_model_len = 1000;
    result.gpu_memory_utilization = std::array{0.5, 0.4};
    return result;
  }();
  const std::string target = (random_pair() / "target").string();
  const auto state = [&](const Machine& machine) {
    const std::vector<Check> checks = check_model(Role::target, target, settings, 2, machine);
    EXPECT_EQ(checks.size(), 3u);
    return checks.back().state;
  };
  EXPECT_EQ(state({2, 80 * kGiB, 0, 2}), State::ok);
  EXPECT_EQ(state({2, kGiB / 4, 0, 2}), State::error) << "CUDA alone takes more";
  EXPECT_EQ(state({2, 0, kGiB, 2}), State::ok);
  EXPECT_EQ(state({2, 0, 1 << 16, 2}), State::warning);
}

TEST(doctor, checks_this_machine_with_one_process) {
  const ProgramResult result = run_program("doctor --device cpu");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  for (const char* part :
       {"1 rank on 1 node", "started without mpirun", "torch", "CUDA", "/dev/shm", "none given", "0 errors"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " is not in\n" << result.out;
  }
}

TEST(doctor, times_two_ranks_and_checks_the_models) {
  const ProgramResult result =
      run_program("doctor --device cpu --format json --target " + (random_pair() / "target").string() + " --draft " +
                      (random_pair() / "draft").string(),
                  2);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  const Json json = parse_json(result.out, "stdout");
  EXPECT_EQ(json.at("ranks"), 2);
  EXPECT_NE(json.at("state"), "error");
  std::map<std::string, std::string> found;
  for (const Json& check : json.at("checks")) found[check.at("check")] = check.at("found");
  EXPECT_NE(found["MPI"].find("2 ranks on 1 node"), std::string::npos) << found["MPI"];
  EXPECT_NE(found["all-reduce"].find("10 KB in"), std::string::npos) << found["all-reduce"];
  EXPECT_NE(found["target"].find("weights complete"), std::string::npos) << found["target"];
  EXPECT_NE(found["draft"].find("weights complete"), std::string::npos) << found["draft"];
  EXPECT_TRUE(found.contains("target fits"));
  EXPECT_NE(found["target text"].find("makes a prompt of"), std::string::npos) << found["target text"];
}

TEST(doctor, looks_at_groups_as_a_benchmark_would_form_them) {
  const std::string models = " --target " + (random_pair() / "target").string();
  const ProgramResult result = run_program("doctor --device cpu --tp 2" + models, 4);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("2 of 2 ranks"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("10 KB in"), std::string::npos) << result.out;
  const ProgramResult uneven = run_program("doctor --device cpu --tp 2" + models, 3);
  EXPECT_EQ(uneven.exit_code, 2) << uneven.out << uneven.err;
  EXPECT_NE(uneven.err.find("--tp 2"), std::string::npos) << uneven.err;
}

TEST(doctor, renders_the_chat_template) {
  const auto folder = fresh_folder("doctor_template");
  std::filesystem::copy(random_pair() / "target", folder, std::filesystem::copy_options::recursive);
  write_file_atomically(folder / "chat_template.jinja", "{{ raise_exception('no such luck') }}");
  const ProgramResult result = run_program("doctor --device cpu --target " + folder.string());
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  EXPECT_NE(result.out.find("no such luck"), std::string::npos) << result.out;
}

TEST(doctor, finds_a_model_without_a_weight) {
  const auto folder = fresh_folder("doctor_model");
  std::filesystem::copy(random_pair() / "target" / "config.json", folder / "config.json");
  const ProgramResult result = run_program("doctor --device cpu --target " + folder.string(), 2);
  EXPECT_EQ(result.exit_code, 3) << result.out;
  EXPECT_NE(result.out.find("error    target"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("1 error,"), std::string::npos) << result.out;
}

TEST(doctor, a_rank_keeps_to_a_core_only_where_somebody_asked_for_it) {
  const std::string unbound = std::getenv("SPECTHINK_MPIRUN");
  const std::string flag = " --bind-to none";
  ASSERT_NE(unbound.find(flag), unbound.npos);
  const auto cores_with = [&](const std::string& other) {
    const ScopedVariable mpirun("SPECTHINK_MPIRUN",
                                std::string(unbound).replace(unbound.find(flag), flag.size(), other));
    const ProgramResult result = run_program("doctor --device cpu", 1);
    for (const int cores : {1, static_cast<int>(std::thread::hardware_concurrency())}) {
      const std::string found = cores == 1 ? "1 core for" : std::to_string(cores) + " cores for";
      if (result.out.find(found) != result.out.npos) return cores;
    }
    ADD_FAILURE() << result.out;
    return 0;
  };
  EXPECT_EQ(cores_with(""), static_cast<int>(std::thread::hardware_concurrency()));
  for (const char* asked : {" --bind-to hwthread", " --cpu-set 0", " --cpu-list 0"})
    EXPECT_EQ(cores_with(asked), 1) << asked;
}

}  // namespace
}  // namespace specthink::doctor
