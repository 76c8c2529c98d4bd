// Matrix products of a warpgroup: four warps whose first operand and sums are spread over their registers and whose
// other operands lie in shared memory (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions"; sm_90a).
//
// Operands in shared memory are *panels*: rows of 64 16-bit columns, 128 bytes a row, the 16-byte pieces of a row
// swizzled as a bulk copy with 128-byte swizzle leaves them. A panel starts at a multiple of 1024 bytes.
//
// Thread t of warp w holds, of a product of 64 rows, the rows 16·w + (t / 4) and 8 further: sums[4·j + 0, 1] are
// columns 8·j + 2·(t % 4) + 0, 1 of the first, sums[4·j + 2, 3] the same columns of the second.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels::ptx {

constexpr int kPanelColumns = 64;
constexpr int kPanelRowBytes = 128;

/// What the instructions take for an operand that starts at `address`. `next_panel`: bytes to the panel with the next
/// 64 columns, where an operand's columns are its N; anything where they are its K.
__device__ __forceinline__ std::uint64_t panel_descriptor(std::uint32_t address, std::uint32_t next_panel = 0) {
  constexpr std::uint64_t kSwizzle128 = 1;
  constexpr std::uint64_t kEightRows = 8 * kPanelRowBytes;
  return (address & 0x3ffff) >> 4 | static_cast<std::uint64_t>(next_panel >> 4) << 16 | kEightRows >> 4 << 32 |
         kSwizzle128 << 62;
}

/// Before the first linear layer that reads registers which this thread has written.
__device__ __forceinline__ void product_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void product_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until all but the newest `kPending` committed groups have ended.
template <int kPending>
__device__ __forceinline__ void product_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

/// Keeps the compiler from moving accesses to registers that a linear layer works on across this point.
template <typename Register, int kCount>
__device__ __forceinline__ void pin(Register (&registers)[kCount]) {
  static_assert(sizeof(Register) == 4);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if constexpr (std::is_same_v<Register, float>) {
      asm volatile("" : "+f"(registers[i])::"memory");
    } else {
      asm volatile("" : "+r"(registers[i])::"memory");
    }
  }
}

// Operand lists of 64 rows by so many columns: half as many registers.
#define SPECTHINK_SUMS_8(c, i)                                                                                \
  "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), \
      "+f"(c[i + 7])
#define SPECTHINK_SUMS_OF_16(c) SPECTHINK_SUMS_8(c, 0)
#define SPECTHINK_SUMS_OF_32(c) SPECTHINK_SUMS_OF_16(c), SPECTHINK_SUMS_8(c, 8)
#define SPECTHINK_SUMS_OF_48(c) SPECTHINK_SUMS_OF_32(c), SPECTHINK_SUMS_8(c, 16)
#define SPECTHINK_SUMS_OF_64(c) SPECTHINK_SUMS_OF_48(c), SPECTHINK_SUMS_8(c, 24)
#define SPECTHINK_SUMS_OF_80(c) SPECTHINK_SUMS_OF_64(c), SPECTHINK_SUMS_8(c, 32)
#define SPECTHINK_SUMS_OF_96(c) SPECTHINK_SUMS_OF_80(c), SPECTHINK_SUMS_8(c, 40)
#define SPECTHINK_SUMS_OF_112(c) SPECTHINK_SUMS_OF_96(c), SPECTHINK_SUMS_8(c, 48)
#define SPECTHINK_SUMS_OF_128(c) SPECTHINK_SUMS_OF_112(c), SPECTHINK_SUMS_8(c, 56)
#define SPECTHINK_SUMS_OF_144(c) SPECTHINK_SUMS_OF_128(c), SPECTHINK_SUMS_8(c, 64)
#define SPECTHINK_SUMS_OF_160(c) SPECTHINK_SUMS_OF_144(c), SPECTHINK_SUMS_8(c, 72)
#define SPECTHINK_SUMS_OF_176(c) SPECTHINK_SUMS_OF_160(c), SPECTHINK_SUMS_8(c, 80)
#define SPECTHINK_SUMS_OF_192(c) SPECTHINK_SUMS_OF_176(c), SPECTHINK_SUMS_8(c, 88)
#define SPECTHINK_SUMS_OF_208(c) SPECTHINK_SUMS_OF_192(c), SPECTHINK_SUMS_8(c, 96)
#define SPECTHINK_REGISTERS_OF_16 "%0, %1, %2, %3, %4, %5, %6, %7"
#define SPECTHINK_REGISTERS_OF_32 SPECTHINK_REGISTERS_OF_16 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define SPECTHINK_REGISTERS_OF_48 SPECTHINK_REGISTERS_OF_32 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define SPECTHINK_REGISTERS_OF_64 SPECTHINK_REGISTERS_OF_48 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define SPECTHINK_REGISTERS_OF_80 SPECTHINK_REGISTERS_OF_64 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define SPECTHINK_REGISTERS_OF_96 SPECTHINK_REGISTERS_OF_80 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define SPECTHINK_REGISTERS_OF_112 SPECTHINK_REGISTERS_OF_96 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define SPECTHINK_REGISTERS_OF_128 SPECTHINK_REGISTERS_OF_112 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define SPECTHINK_REGISTERS_OF_144 SPECTHINK_REGISTERS_OF_128 ", %64, %65, %66, %67, %68, %69, %70, %71"
#define SPECTHINK_REGISTERS_OF_160 SPECTHINK_REGISTERS_OF_144 ", %72, %73, %74, %75, %76, %77, %78, %79"
#define SPECTHINK_REGISTERS_OF_176 SPECTHINK_REGISTERS_OF_160 ", %80, %81, %82, %83, %84, %85, %86, %87"
#define SPECTHINK_REGISTERS_OF_192 SPECTHINK_REGISTERS_OF_176 ", %88, %89, %90, %91, %92, %93, %94, %95"
#define SPECTHINK_REGISTERS_OF_208 SPECTHINK_REGISTERS_OF_192 ", %96, %97, %98, %99, %100, %101, %102, %103"

/// `a`, `b`, `p`: numbers of the operands behind the sums.
#define SPECTHINK_PANEL_PRODUCT(type, columns, a_operand, b_operand, p_operand)                                    \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p_operand ", 0;\nwgmma.mma_async.sync.aligned.m64n" #columns  \
               "k16.f32." #type "." #type " {" SPECTHINK_REGISTERS_OF_##columns "}, %" #a_operand ", %" #b_operand \
                                                                                ", p, 1, 1, 0, 0;\n}"              \
               : SPECTHINK_SUMS_OF_##columns(sums)                                                                 \
               : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)))

/// sums[64, columns] = (accumulate: +) A[64, 16] · B[columns, 16]ᵀ, both in shared memory with K as their columns.
#define SPECTHINK_MULTIPLY_PANELS(columns, a_operand, b_operand, p_operand)                                    \
  template <typename T>                                                                                        \
  __device__ __forceinline__ void multiply_panels(float(&sums)[columns / 2], std::uint64_t a, std::uint64_t b, \
                                                  bool accumulate) {                                           \
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {                                                          \
      SPECTHINK_PANEL_PRODUCT(bf16, columns, a_operand, b_operand, p_operand);                                 \
    } else {                                                                                                   \
      SPECTHINK_PANEL_PRODUCT(f16, columns, a_operand, b_operand, p_operand);                                  \
    }                                                                                                          \
  }
SPECTHINK_MULTIPLY_PANELS(32, 16, 17, 18)
SPECTHINK_MULTIPLY_PANELS(48, 24, 25, 26)
SPECTHINK_MULTIPLY_PANELS(64, 32, 33, 34)
SPECTHINK_MULTIPLY_PANELS(80, 40, 41, 42)
SPECTHINK_MULTIPLY_PANELS(96, 48, 49, 50)
SPECTHINK_MULTIPLY_PANELS(112, 56, 57, 58)
SPECTHINK_MULTIPLY_PANELS(128, 64, 65, 66)
SPECTHINK_MULTIPLY_PANELS(144, 72, 73, 74)
SPECTHINK_MULTIPLY_PANELS(160, 80, 81, 82)
SPECTHINK_MULTIPLY_PANELS(176, 88, 89, 90)
SPECTHINK_MULTIPLY_PANELS(192, 96, 97, 98)
SPECTHINK_MULTIPLY_PANELS(208, 104, 105, 106)

/// `fragment`, `b_operand`: numbers of the operands behind the sums.
#define SPECTHINK_REGISTER_PRODUCT(type, columns, fragment, b_operand)                               \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." #type "." #type               \
               " {" SPECTHINK_REGISTERS_OF_##columns "}, {" fragment "}, " b_operand ", 1, 1, 1, 1;" \
               : SPECTHINK_SUMS_OF_##columns(sums)                                                   \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

/// sums[64, N] += A[64, 16] · B[16, N]; A in registers, laid out as mma() takes it, B in shared memory with N as its
/// columns: 128 (two panels) or 64.
template <typename T>
__device__ __forceinline__ void multiply_registers(float (&sums)[64], const std::uint32_t* a, std::uint64_t b) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    SPECTHINK_REGISTER_PRODUCT(bf16, 128, "%64, %65, %66, %67", "%68");
  } else {
    SPECTHINK_REGISTER_PRODUCT(f16, 128, "%64, %65, %66, %67", "%68");
  }
}
template <typename T>
__device__ __forceinline__ void multiply_registers(float (&sums)[32], const std::uint32_t* a, std::uint64_t b) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    SPECTHINK_REGISTER_PRODUCT(bf16, 64, "%32, %33, %34, %35", "%36");
  } else {
    SPECTHINK_REGISTER_PRODUCT(f16, 64, "%32, %33, %34, %35", "%36");
  }
}

#undef SPECTHINK_REGISTER_PRODUCT
#undef SPECTHINK_PANEL_PRODUCT
#undef SPECTHINK_MULTIPLY_PANELS
#undef SPECTHINK_SUMS_8
#undef SPECTHINK_SUMS_OF_16
#undef SPECTHINK_REGISTERS_OF_16
#undef SPECTHINK_SUMS_OF_32
#undef SPECTHINK_REGISTERS_OF_32
#undef SPECTHINK_SUMS_OF_48
#undef SPECTHINK_REGISTERS_OF_48
#undef SPECTHINK_SUMS_OF_64
#undef SPECTHINK_REGISTERS_OF_64
#undef SPECTHINK_SUMS_OF_80
#undef SPECTHINK_REGISTERS_OF_80
#undef SPECTHINK_SUMS_OF_96
#undef SPECTHINK_REGISTERS_OF_96
#undef SPECTHINK_SUMS_OF_112
#undef SPECTHINK_REGISTERS_OF_112
#undef SPECTHINK_SUMS_OF_128
#undef SPECTHINK_REGISTERS_OF_128
#undef SPECTHINK_SUMS_OF_144
#undef SPECTHINK_REGISTERS_OF_144
#undef SPECTHINK_SUMS_OF_160
#undef SPECTHINK_REGISTERS_OF_160
#undef SPECTHINK_SUMS_OF_176
#undef SPECTHINK_REGISTERS_OF_176
#undef SPECTHINK_SUMS_OF_192
#undef SPECTHINK_REGISTERS_OF_192
#undef SPECTHINK_SUMS_OF_208
#undef SPECTHINK_REGISTERS_OF_208

/// Moves registers between the warpgroups of a block: each names what it needs.
template <int kRegisters>
__device__ __forceinline__ void give_registers_back() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace specthink::inline kernels::ptx
