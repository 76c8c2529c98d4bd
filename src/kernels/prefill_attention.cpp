#include "specthink/kernels/prefill_attention.h"

#ifdef SPECTHINK_WITH_CUDA
#include "kernels/prefill_attention_cuda.h"
#endif

namespace specthink {

std::unique_ptr<PrefillAttention> PrefillAttention::create([[maybe_unused]] std::span<const Layer> layers) {
#ifdef SPECTHINK_WITH_CUDA
  return make_prefill_attention(layers);
#else
  return nullptr;
#endif
}

}  // namespace specthink
