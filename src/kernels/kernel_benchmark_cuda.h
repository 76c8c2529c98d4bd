// The CUDA build's time_kernels(), time_prefill_products() and time_prefill_attention().
#pragma once

#include "specthink/kernels/kernel_benchmark.h"

namespace specthink {

std::vector<KernelTime> time_cuda_kernels(const DecodeShape& shape, ElementType type, c10::Device device);
std::vector<PrefillProductTime> time_cuda_prefill_products(const DecodeShape& shape, ElementType type,
                                                           c10::Device device);
std::vector<PrefillAttentionTime> time_cuda_prefill_attention(const DecodeShape& shape, ElementType type,
                                                              c10::Device device);

}  // namespace specthink
