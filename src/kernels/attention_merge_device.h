// The CUDA side of attention_merge.h; CUDA builds only.
#pragma once

#include "specthink/kernels/attention_merge.h"

namespace specthink {

void merge_attention_on_device(const AttentionParts& a, const AttentionParts& b, at::Tensor& output);

}  // namespace specthink
