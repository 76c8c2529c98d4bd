// The attention of a decode step by float32 operators of LibTorch, and what its tests share; CUDA builds only.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/decode/attention/attention.h"
#include "kernels/gpu_test.h"

namespace specthink::testing_support {

constexpr std::int64_t kMostPositions = 32760 + 16;
constexpr float kEps = 1e-6f;

struct Model {
  int heads, kv_heads, head_dim;
  at::Tensor bias;         // [(heads + 2·kv_heads)·head_dim]; undefined: none
  at::Tensor norm_weight;  // [heads + kv_heads, head_dim]; undefined: none
  at::Tensor cos, sin;     // [positions, head_dim]
};

class AttentionTest : public GpuTest {
 protected:
  Model model(int head_dim, int group, int index) const {
    Model m;
    m.kv_heads = group == 1 ? 3 : 2;
    m.heads = m.kv_heads * group;
    m.head_dim = head_dim;
    if (index % 2 == 1) m.bias = at::randn({(m.heads + 2 * m.kv_heads) * head_dim}, elements()).mul_(0.3);
    if (index % 4 < 2) m.norm_weight = at::rand({m.heads + m.kv_heads, head_dim}, elements()).add_(0.5);
    m.cos = at::rand({kMostPositions, head_dim}, elements()).mul_(2).sub_(1);
    m.sin = at::rand({kMostPositions, head_dim}, elements()).mul_(2).sub_(1);
    return m;
  }

  /// Bias, norm and rotation: [valid, heads + 2·kv_heads, head_dim] in the type.
  at::Tensor prepared(const Model& m, const at::Tensor& qkv, std::int64_t position, int valid) const {
    const int rotated = m.heads + m.kv_heads;
    at::Tensor x = qkv.narrow(0, 0, valid);
    if (m.bias.defined()) x = x + m.bias.to(at::kFloat);
    x = x.view({valid, m.heads + 2 * m.kv_heads, m.head_dim});
    at::Tensor qk = x.narrow(1, 0, rotated);
    if (m.norm_weight.defined()) {
      qk = qk * at::rsqrt(qk.square().mean(-1, true) + kEps) * m.norm_weight.to(at::kFloat);
    }
    const auto angles = [&](const at::Tensor& table) {
      return table.narrow(0, position, valid).to(at::kFloat).unsqueeze(1);
    };
    qk = qk * angles(m.cos) + at::roll(qk, m.head_dim / 2, -1) * angles(m.sin);
    return at::cat({qk, x.narrow(1, rotated, m.kv_heads)}, 1).to(GetParam());
  }

  /// [valid, heads, head_dim] float32; `keys`, `values`: [position + valid, kv_heads, head_dim].
  static at::Tensor attend(const Model& m, const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                           std::int64_t position) {
    const std::int64_t valid = queries.size(0);
    const std::int64_t group = m.heads / m.kv_heads;
    const at::Tensor q = queries.to(at::kFloat)
                             .view({valid, m.kv_heads, group, m.head_dim})
                             .permute({1, 0, 2, 3})
                             .reshape({m.kv_heads, valid * group, m.head_dim});
    const at::Tensor k = keys.to(at::kFloat).permute({1, 2, 0}).contiguous();
    const at::Tensor v = values.to(at::kFloat).permute({1, 0, 2}).contiguous();
    at::Tensor scores = at::matmul(q, k) / std::sqrt(static_cast<double>(m.head_dim));
    const at::Tensor last = position + at::arange(valid, keys.options().dtype(at::kLong)).repeat_interleave(group);
    const at::Tensor later = at::arange(keys.size(0), last.options()).unsqueeze(0) > last.unsqueeze(1);
    scores = scores.masked_fill(later.unsqueeze(0), -std::numeric_limits<double>::infinity());
    return at::matmul(at::softmax(scores, -1), v)
        .view({m.kv_heads, valid, group, m.head_dim})
        .permute({1, 0, 2, 3})
        .reshape({valid, m.heads, m.head_dim});
  }

  /// Without layout, pages and output. `memory`: [2, pages, page_tokens, kv_heads, head_dim].
  AttentionParams params(const Model& m, const at::Tensor& qkv, const at::Tensor& memory) const {
    AttentionParams p;
    p.qkv = qkv.const_data_ptr<float>();
    if (m.bias.defined()) p.bias = m.bias.const_data_ptr();
    if (m.norm_weight.defined()) p.norm_weight = m.norm_weight.const_data_ptr();
    p.cos = m.cos.const_data_ptr();
    p.sin = m.sin.const_data_ptr();
    p.keys = memory[0].mutable_data_ptr();
    p.values = memory[1].mutable_data_ptr();
    p.heads = m.heads;
    p.kv_heads = m.kv_heads;
    p.head_dim = m.head_dim;
    p.page_tokens = static_cast<int>(memory.size(2));
    p.eps = kEps;
    p.scale = 1 / std::sqrt(static_cast<float>(m.head_dim));
    return p;
  }

  /// Weights are rounded to the type, and so is the result: errors of one head's vector as a share of its length.
  void expect_attended(const at::Tensor& attended, const at::Tensor& expected, const std::string& what) const {
    const at::Tensor error = (attended - expected).norm(2, -1) / expected.norm(2, -1);
    const auto worst = error.max().item<double>();
    const auto mean = error.mean().item<double>();
    EXPECT_TRUE(worst <= 2 * rounding()) << what << ": off by " << worst;
    EXPECT_TRUE(mean <= rounding()) << what << ": off by " << mean << " on average";
  }
};

}  // namespace specthink::testing_support
