#include "app/kernel_report.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "app/program.h"
#include "specthink/base/error.h"
#include "specthink/model/model_config.h"

namespace specthink {
namespace {

using testing_support::run_program;

TEST(kernel_report, part_is_the_first_ranks) {
  const ModelDescription target = ModelConfig::load("configs/models/Qwen3-32B");
  ModelDescription part = target;
  part.intermediate_size = 12800;
  part.num_heads = 32;
  part.num_kv_heads = 4;
  part.vocab_size = 75968;
  EXPECT_EQ(part_of_first_rank(target, 2), part);
  EXPECT_EQ(part_of_first_rank(llama_8b(), 1), llama_8b());
  EXPECT_EQ(part_of_first_rank(llama_8b(), 16).num_kv_heads, 1);  // two ranks have the same one
  EXPECT_THROW(part_of_first_rank(llama_8b(), 3), UserError);
  ModelDescription uneven = llama_8b();
  uneven.num_heads = 24;
  uneven.num_kv_heads = 3;  // of 12 heads a rank, 8 use one KV head and 4 another
  EXPECT_THROW(part_of_first_rank(uneven, 2), UserError);
}

TEST(kernel_report, the_built_in_llama_has_eight_billion_parameters) {
  EXPECT_NEAR(static_cast<double>(llama_8b().num_parameters()) / 1e9, 8.03, 0.01);
}

KernelReport small_report() {
  KernelReport report{.device = "a GPU", .dtype = "bfloat16", .ranks = 2, .read_bytes_per_second = 4e12, .models = {}};
  const ModelDescription part{.hidden_size = 64,
                              .intermediate_size = 128,
                              .num_heads = 4,
                              .num_kv_heads = 2,
                              .head_dim = 64,
                              .vocab_size = 100};
  const KernelCase embed{.kernel = DecodeKernel::embed, .rows = 1, .bytes = 8'000'000};
  const KernelCase attention{.kernel = DecodeKernel::attention, .rows = 8, .context = 4096, .bytes = 20'000'000};
  report.models.push_back({"small", part, {{embed, 4e-6, {}}, {attention, 10e-6, 6.25e-6}}, {}, {}});
  const PrefillLinearCase down{.kernel = DecodeKernel::down, .rows = 20, .bytes = 30'000'000};
  report.models.push_back(
      {"large", part, {{embed, 4e-6, {}}}, {{down, 15e-6, 20e-6}}, {{{.rows = 2, .cached = 3}, 9 * 1024e-12}}});
  return report;
}

TEST(kernel_report, markdown) {
  EXPECT_EQ(to_markdown(small_report()),
            "# Decode kernels, one of 2 ranks, bfloat16, a GPU\n"
            "\n"
            "- read bandwidth: 4.000 TB/s\n"
            "\n"
            "## small\n"
            "\n"
            "hidden 64, intermediate 128, 4 query and 2 KV heads of 64, vocabulary 100.\n"
            "\n"
            "| kernel    | rows | context |    bytes | µs alone |  share | µs overlapped |  share |\n"
            "| --------- | ---: | ------: | -------: | -------: | -----: | ------------: | -----: |\n"
            "| embed     |    1 |       - |  8000000 |     4.00 | 50.0 % |             - |      - |\n"
            "| attention |    8 |    4096 | 20000000 |    10.00 | 50.0 % |          6.25 | 80.0 % |\n"
            "\n"
            "## large\n"
            "\n"
            "hidden 64, intermediate 128, 4 query and 2 KV heads of 64, vocabulary 100.\n"
            "\n"
            "| kernel | rows | context |   bytes | µs alone |  share | µs overlapped | share |\n"
            "| ------ | ---: | ------: | ------: | -------: | -----: | ------------: | ----: |\n"
            "| embed  |    1 |       - | 8000000 |     4.00 | 50.0 % |             - |     - |\n"
            "\n"
            "Products of a prefill:\n"
            "\n"
            "| kernel | rows |    bytes |    µs |  share | LibTorch µs |\n"
            "| ------ | ---: | -------: | ----: | -----: | ----------: |\n"
            "| down   |   20 | 30000000 | 15.00 | 50.0 % |       20.00 |\n"
            "\n"
            "Attention of a prefill:\n"
            "\n"
            "| rows | cached |  µs | TFLOP/s |\n"
            "| ---- | -----: | --: | ------: |\n"
            "| 2    |      3 | 0.0 |       1 |\n");
}

TEST(kernel_report, json_has_the_same_numbers) {
  const Json json = to_json(small_report());
  EXPECT_EQ(json.at("read_tb_s"), 4.0);
  EXPECT_EQ(json.at("ranks"), 2);
  const Json& model = json.at("models").at(0);
  EXPECT_EQ(model.at("name"), "small");
  EXPECT_EQ(model.at("shape").at("head_dim"), 64);
  const Json& embed = model.at("kernels").at(0);
  EXPECT_EQ(embed.at("kernel"), "embed");
  EXPECT_TRUE(embed.at("overlapped_us").is_null());
  const Json& attention = model.at("kernels").at(1);
  EXPECT_EQ(attention.at("rows"), 8);
  EXPECT_EQ(attention.at("context"), 4096);
  EXPECT_EQ(attention.at("bytes"), 20'000'000);
  EXPECT_NEAR(attention.at("alone_us").get<double>(), 10, 1e-9);
  EXPECT_NEAR(attention.at("overlapped_share").get<double>(), 0.8, 1e-9);
  EXPECT_TRUE(model.at("prefill_attention").empty());
  EXPECT_TRUE(model.at("prefill_linears").empty());
  const Json& product = json.at("models").at(1).at("prefill_linears").at(0);
  EXPECT_EQ(product.at("kernel"), "down");
  EXPECT_EQ(product.at("rows"), 20);
  EXPECT_NEAR(product.at("share").get<double>(), 0.5, 1e-9);
  EXPECT_NEAR(product.at("library_us").get<double>(), 20, 1e-9);
  const Json& prefill = json.at("models").at(1).at("prefill_attention").at(0);
  EXPECT_EQ(prefill.at("rows"), 2);
  EXPECT_EQ(prefill.at("cached"), 3);
  EXPECT_NEAR(prefill.at("tflop_s").get<double>(), 1, 1e-9) << "9 pairs of 4 heads of 64, 4 operations an element";
}

TEST(bench_kernels, says_what_is_missing) {
  EXPECT_EQ(run_program("bench-kernels --dtype float32").exit_code, kExitUser);
  EXPECT_EQ(run_program("bench-kernels --ranks 3").exit_code, kExitUser);
  EXPECT_EQ(run_program("bench-kernels --target no/such/folder").exit_code, kExitUser);
  setenv("CUDA_VISIBLE_DEVICES", "", 1);  // whatever the machine has
  const auto result = run_program("bench-kernels --target configs/models/Qwen3-0.6B");
  unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(result.exit_code, kExitEnvironment);
  EXPECT_NE(result.err.find("GPU"), std::string::npos) << result.err;
  EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
  EXPECT_EQ(result.out, "");
}

}  // namespace
}  // namespace specthink
