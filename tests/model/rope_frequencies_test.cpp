#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "specthink/model/model_config.h"

namespace specthink {
namespace {

ModelConfig parse_rope(const Json& changes) {
  Json config = Json::parse(R"({"model_type": "qwen3", "vocab_size": 512, "hidden_size": 64,
               "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "max_position_embeddings": 4096, "rope_theta": 1000000, "rope_scaling": null})");
  config.update(changes);
  return ModelConfig::parse(config, Json(), "folder");
}

struct RopeCase {
  const char* what;
  Json changes;
  float attention_factor;
  std::vector<float> inverse;
  std::int64_t context = 0;
};

/// Heads of 16 elements, of which a long rope rotates 12.
Json long_rope() {
  return {{"model_type", "phi3"},
          {"head_dim", 16},
          {"max_position_embeddings", 1024},
          {"original_max_position_embeddings", 256},
          {"partial_rotary_factor", 0.75},
          {"rope_theta", 10000},
          {"rope_scaling",
           {{"type", "longrope"},
            {"short_factor", {1, 1.1, 1.2, 1.3, 1.5, 1.7}},
            {"long_factor", {1, 1.5, 2.5, 3, 4.5, 5}}}}};
}

Json dynamic_rope() {
  return {{"head_dim", 16},
          {"max_position_embeddings", 1024},
          {"rope_theta", 10000},
          {"rope_scaling", {{"type", "dynamic"}, {"factor", 4}}}};
}

// inv_freq and attention_scaling of transformers' Qwen3RotaryEmbedding for the same settings.
TEST(rope_frequencies, agree_with_transformers) {
  const std::vector<RopeCase> cases{
      {"default",
       Json::parse(R"({})"),
       1.0F,
       {1.0F, 0.421696514F, 0.177827939F, 0.0749894157F, 0.0316227786F, 0.0133352149F, 0.00562341325F, 0.00237137382F,
        0.00100000005F, 0.000421696488F, 0.00017782794F, 7.49894243e-05F, 3.16227743e-05F, 1.33352141e-05F,
        5.62341347e-06F, 2.37137374e-06F}},
      {"theta in rope_parameters goes first",
       Json::parse(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}})"),
       1.0F,
       {1.0F, 0.587238312F, 0.344848841F, 0.202508435F, 0.118920714F, 0.0698347986F, 0.0410096683F, 0.0240824483F,
        0.0141421361F, 0.00830480363F, 0.0048768986F, 0.0028639019F, 0.00168179278F, 0.000987613224F, 0.000579964253F,
        0.000340577244F}},
      {"no type is the default type",
       Json::parse(R"({"rope_parameters": {"rope_theta": 5000.0}})"),
       1.0F,
       {1.0F, 0.587238312F, 0.344848841F, 0.202508435F, 0.118920714F, 0.0698347986F, 0.0410096683F, 0.0240824483F,
        0.0141421361F, 0.00830480363F, 0.0048768986F, 0.0028639019F, 0.00168179278F, 0.000987613224F, 0.000579964253F,
        0.000340577244F}},
      {"an empty rope_scaling is none",
       Json::parse(R"({"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 2.0}})"),
       1.0F,
       {0.5F, 0.210848257F, 0.0889139697F, 0.0374947079F, 0.0158113893F, 0.00666760746F, 0.00281170662F, 0.00118568691F,
        0.000500000024F, 0.000210848244F, 8.89139701e-05F, 3.74947122e-05F, 1.58113871e-05F, 6.66760707e-06F,
        2.81170674e-06F, 1.18568687e-06F}},
      {"rope_scaling goes first",
       Json::parse(
           R"({"rope_scaling": {"rope_type": "linear", "factor": 2.0},
               "rope_parameters": {"rope_type": "default", "rope_theta": 77.0}})"),
       1.0F,
       {0.5F, 0.210848257F, 0.0889139697F, 0.0374947079F, 0.0158113893F, 0.00666760746F, 0.00281170662F, 0.00118568691F,
        0.000500000024F, 0.000210848244F, 8.89139701e-05F, 3.74947122e-05F, 1.58113871e-05F, 6.66760707e-06F,
        2.81170674e-06F, 1.18568687e-06F}},
      {"linear, oldest spelling",
       Json::parse(R"({"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}})"),
       1.0F,
       {0.400000006F, 0.22493653F, 0.1264911F, 0.0711311772F, 0.0399999991F, 0.0224936511F, 0.0126491114F,
        0.00711311772F, 0.00399999972F, 0.00224936521F, 0.00126491114F, 0.000711311761F, 0.000400000019F,
        0.000224936521F, 0.000126491112F, 7.11311732e-05F}},
      {"llama3",
       Json::parse(
           R"({"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
               "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 1024}})"),
       1.0F,
       {1.0F, 0.440366626F, 0.193922758F, 0.0853971019F, 0.0376060307F, 0.0102761155F, 0.00131256948F, 0.000401430763F,
        0.000176776681F, 7.78465546e-05F, 3.42810235e-05F, 1.50962178e-05F, 6.64786967e-06F, 2.92749974e-06F,
        1.28917316e-06F, 5.6770881e-07F}},
      {"llama3 from the whole context",
       Json::parse(
           R"({"rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 32.0,
               "low_freq_factor": 1.0, "high_freq_factor": 4.0}})"),
       1.0F,
       {1.0F, 0.440366626F, 0.193922758F, 0.0853971019F, 0.0376060307F, 0.0165604409F, 0.00729266508F, 0.0012343881F,
        4.41941702e-05F, 1.94616387e-05F, 8.57025589e-06F, 3.77405445e-06F, 1.66196742e-06F, 7.31874934e-07F,
        3.22293289e-07F, 1.41927202e-07F}},
      {"yarn",
       Json::parse(
           R"({"rope_scaling": {"rope_type": "yarn", "factor": 4.0,
               "original_max_position_embeddings": 1024}})"),
       1.13862944F,
       {1.0F, 0.421696514F, 0.151153743F, 0.0524925925F, 0.0173925273F, 0.00533408578F, 0.00140585331F, 0.000592843455F,
        0.000250000012F, 0.000105424122F, 4.44569851e-05F, 1.87473561e-05F, 7.90569356e-06F, 3.33380353e-06F,
        1.40585337e-06F, 5.92843435e-07F}},
      {"yarn, all settings",
       Json::parse(
           R"({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "yarn", "factor": 40,
               "original_max_position_embeddings": 4096, "beta_fast": 16, "beta_slow": 2, "mscale": 1.0,
               "mscale_all_dim": 0.5, "truncate": false}})"),
       1.15572199F,
       {1.0F, 0.562341332F, 0.316227764F, 0.177827939F, 0.100000001F, 0.0562341288F, 0.0316227786F, 0.0150961196F,
        0.00579010462F, 0.00173821871F, 0.000123952457F, 4.44569851e-05F, 2.49999994e-05F, 1.40585325e-05F,
        7.90569447e-06F, 4.44569832e-06F}},
      {"yarn, mscale alone has no effect",
       Json::parse(R"({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "mscale": 2.0,
                    "mscale_all_dim": 0}})"),
       1.13862944F,
       {1.0F, 0.421696514F, 0.177827939F, 0.0749894157F, 0.0268793609F, 0.00933465082F, 0.0030928771F, 0.000948549481F,
        0.000250000012F, 0.000105424122F, 4.44569851e-05F, 1.87473561e-05F, 7.90569356e-06F, 3.33380353e-06F,
        1.40585337e-06F, 5.92843435e-07F}},
      {"yarn, attention_factor given",
       Json::parse(
           R"({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "yarn", "factor": 4.0,
               "attention_factor": 0.75, "original_max_position_embeddings": 2048}})"),
       0.75F,
       {1.0F, 0.562341332F, 0.316227764F, 0.177827939F, 0.100000001F, 0.0502090417F, 0.02484647F, 0.0120668961F,
        0.00571428565F, 0.0026108704F, 0.00112938497F, 0.000444569858F, 0.000250000012F, 0.000140585325F,
        7.90569466e-05F, 4.44569851e-05F}},
      {"yarn, factor from the lengths",
       Json::parse(
           R"({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "yarn", "factor": null,
               "original_max_position_embeddings": 1024}})"),
       1.13862944F,
       {1.0F, 0.562341332F, 0.316227764F, 0.158774942F, 0.0785714313F, 0.0381588712F, 0.0180701576F, 0.00825629756F,
        0.00357142836F, 0.00140585331F, 0.000790569466F, 0.000444569858F, 0.000250000012F, 0.000140585325F,
        7.90569466e-05F, 4.44569851e-05F}},
      {"yarn, original length at the top level",
       Json::parse(
           R"({"original_max_position_embeddings": 512, "rope_parameters": {"rope_theta": 10000.0,
               "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}})"),
       1.13862944F,
       {1.0F, 0.562341332F, 0.282346219F, 0.139721945F, 0.0678571388F, 0.0321337879F, 0.0146820042F, 0.00635099784F,
        0.00249999994F, 0.00140585331F, 0.000790569466F, 0.000444569858F, 0.000250000012F, 0.000140585325F,
        7.90569466e-05F, 4.44569851e-05F}},
      {"yarn, short context",
       Json::parse(
           R"({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "yarn", "factor": 4.0,
               "original_max_position_embeddings": 4}})"),
       1.13862944F,
       {1.0F, 0.140585333F, 0.079056941F, 0.0444569848F, 0.0250000004F, 0.0140585322F, 0.00790569466F, 0.00444569858F,
        0.00249999994F, 0.00140585331F, 0.000790569466F, 0.000444569858F, 0.000250000012F, 0.000140585325F,
        7.90569466e-05F, 4.44569851e-05F}},
      {"head_dim 8",
       Json::parse(
           R"({"head_dim": 8, "rope_scaling": {"rope_type": "yarn", "factor": 16.0,
               "original_max_position_embeddings": 256}})"),
       1.27725887F,
       {1.0F, 0.0167996008F, 6.2500003e-05F, 1.97642339e-06F}},
      {"dynamic, beyond the declared context",
       dynamic_rope(),
       1.0F,
       {1.0F, 0.232086256F, 0.0538640246F, 0.0125010991F, 0.00290133292F, 0.000673359493F, 0.000156277471F,
        3.6269852e-05F},
       3000},
      {"dynamic, within it",
       dynamic_rope(),
       1.0F,
       {1.0F, 0.316227764F, 0.100000001F, 0.0316227786F, 0.00999999978F, 0.00316227786F, 0.00100000005F,
        0.000316227786F},
       500},
      {"longrope, within the original context",
       long_rope(),
       1.11803399F,
       {1.0F, 0.195857689F, 0.0386799015F, 0.0076923077F, 0.00143628952F, 0.000273034675F},
       256},
      {"longrope, beyond it",
       long_rope(),
       1.11803399F,
       {1.0F, 0.14362897F, 0.0185663532F, 0.00333333341F, 0.000478763191F, 9.28317895e-05F},
       257},
  };
  for (const RopeCase& expected : cases) {
    SCOPED_TRACE(expected.what);
    ModelConfig config = parse_rope(expected.changes);
    config.set_context(expected.context);
    const RopeFrequencies found = rope_frequencies(config);
    EXPECT_NEAR(found.attention_factor / expected.attention_factor, 1, 1e-6);
    ASSERT_EQ(found.inverse.size(), expected.inverse.size());
    for (std::size_t i = 0; i < found.inverse.size(); ++i) {
      EXPECT_NEAR(found.inverse[i] / expected.inverse[i], 1, 1e-6) << "pair " << i;
    }
  }
}

// A ramp that ends before it begins, or begins and ends at one place, is still a number.
TEST(rope_frequencies, extreme_settings_stay_finite) {
  for (const Json& scaling :
       {Json{{"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 1}},
        Json{{"rope_type", "yarn"}, {"factor", 1e6}, {"beta_fast", 1e30}, {"beta_slow", 1e-30}},
        Json{{"rope_type", "yarn"}, {"factor", 4}, {"beta_fast", 2}, {"beta_slow", 2}, {"truncate", false}},
        Json{{"rope_type", "llama3"}, {"factor", 1e9}, {"low_freq_factor", 1e-9}, {"high_freq_factor", 1e9}}}) {
    SCOPED_TRACE(scaling.dump());
    for (const float inverse : rope_frequencies(parse_rope({{"rope_scaling", scaling}})).inverse) {
      EXPECT_TRUE(std::isfinite(inverse));
      EXPECT_GE(inverse, 0);
    }
  }
}

}  // namespace
}  // namespace specthink
