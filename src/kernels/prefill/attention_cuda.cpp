#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>

#include <vector>

#include "kernels/device/tensor_map.h"
#include "kernels/prefill/attention_device.h"
#include "specthink/base/error.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/prefill_attention.h"

namespace specthink::inline kernels {
namespace {

class CudaPrefillAttention final : public PrefillAttention {
 public:
  CudaPrefillAttention(std::span<const Layer> layers, double scale)
      : first_(layers.front().keys), scale_(static_cast<float>(scale)) {
    const std::int64_t columns = first_.size(1) * first_.size(2);
    for (const Layer& layer : layers) {
      check(layer.keys.is_contiguous() && layer.values.is_contiguous() && layer.keys.sizes() == first_.sizes() &&
                layer.values.sizes() == first_.sizes(),
            "the cache planes of a model's layers are alike and contiguous");
      const auto map_of = [&](const at::Tensor& plane) {
        return make_panel_map(plane.const_data_ptr(), plane.size(0), columns, kPrefillTile);
      };
      maps_.push_back({map_of(layer.keys), map_of(layer.values)});
    }
    const std::int64_t bytes = prefill_attention_workspace(first_.get_device(), static_cast<int>(first_.size(2)));
    workspace_ = at::empty({bytes}, first_.options().dtype(at::kByte));
  }

  void run(std::size_t layer, const at::Tensor& queries, const Sequence& sequence, at::Tensor& output) override {
    check(layer < maps_.size() && queries.dim() == 3 && queries.size(2) == first_.size(2) &&
              queries.sizes() == output.sizes() && sequence.length >= queries.size(0),
          "prefill attention: shapes");
    check(sequence.pages.dim() == 1 && sequence.pages.is_contiguous() && sequence.pages.scalar_type() == at::kInt &&
              sequence.pages.device() == first_.device() && sequence.pages.size(0) * kPageTokens >= sequence.length,
          "prefill attention: the pages of the whole sequence, int32 on the device");
    check(queries.is_contiguous() && output.is_contiguous() && queries.scalar_type() == first_.scalar_type() &&
              output.scalar_type() == first_.scalar_type() && queries.device() == first_.device() &&
              output.device() == first_.device(),
          "prefill attention: operands are contiguous, of the cache's type, on its device");
    PrefillAttentionParams params;
    params.keys = maps_[layer].keys;
    params.values = maps_[layer].values;
    params.queries = queries.const_data_ptr();
    params.output = output.mutable_data_ptr();
    params.workspace = static_cast<float*>(workspace_.mutable_data_ptr());
    params.shape = {.rows = static_cast<int>(queries.size(0)),
                    .length = static_cast<int>(sequence.length),
                    .heads = static_cast<int>(queries.size(1)),
                    .kv_heads = static_cast<int>(first_.size(1))};
    params.head_dim = static_cast<int>(first_.size(2));
    params.pages = sequence.pages.const_data_ptr<std::int32_t>();
    params.settled = static_cast<int>(sequence.settled);
    params.scale = scale_;
    const ElementType type = first_.scalar_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16;
    launch_prefill_attention(params, type, c10::cuda::getCurrentCUDAStream());
  }

 private:
  struct Maps {
    CUtensorMap keys;
    CUtensorMap values;
  };
  at::Tensor first_;  // the keys of the first layer: shape and type of all planes
  float scale_;
  std::vector<Maps> maps_;
  at::Tensor workspace_;  // bytes
};

}  // namespace

std::unique_ptr<PrefillAttention> PrefillAttention::create(std::span<const Layer> layers, double scale) {
  if (layers.empty()) return nullptr;
  const at::Tensor& keys = layers.front().keys;
  const bool fits = keys.is_cuda() && (keys.scalar_type() == at::kBFloat16 || keys.scalar_type() == at::kHalf) &&
                    takes_prefill_attention(keys.get_device(), static_cast<int>(keys.size(2)));
  if (!fits) return nullptr;
  return std::make_unique<CudaPrefillAttention>(layers, scale);
}

}  // namespace specthink::inline kernels
