// Types of weights and activations that the decode kernels know.
#pragma once

namespace specthink::inline kernels {

enum class ElementType { bfloat16, float16 };

}  // namespace specthink::inline kernels
