// The CUDA side of PrefillAttention::create; CUDA builds only.
#pragma once

#include "specthink/kernels/prefill_attention.h"

namespace specthink {

std::unique_ptr<PrefillAttention> make_prefill_attention(std::span<const PrefillAttention::Layer> layers);

}  // namespace specthink
