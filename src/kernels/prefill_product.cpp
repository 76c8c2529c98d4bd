#include "specthink/kernels/prefill_product.h"

#ifdef SPECTHINK_WITH_CUDA
#include "kernels/prefill_product_cuda.h"
#endif

namespace specthink {

std::unique_ptr<PrefillProduct> PrefillProduct::create([[maybe_unused]] const at::Tensor& weights,
                                                       [[maybe_unused]] Kind kind) {
#ifdef SPECTHINK_WITH_CUDA
  return make_prefill_product(weights, kind);
#else
  return nullptr;
#endif
}

}  // namespace specthink
