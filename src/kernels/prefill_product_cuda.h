// The CUDA side of PrefillProduct::create; CUDA builds only.
#pragma once

#include "specthink/kernels/prefill_product.h"

namespace specthink {

std::unique_ptr<PrefillProduct> make_prefill_product(const at::Tensor& weights, PrefillProduct::Kind kind);

}  // namespace specthink
