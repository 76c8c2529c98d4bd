#include "model/gguf/ggml_types.h"

#include <c10/util/Half.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

// The layout of each block is that of ggml-common.h; the formulas are those of ggml-quants.c, in float32.

namespace specthink::inline model::gguf {
namespace {

constexpr std::int64_t kSmall = 32;   // elements of a block of the types without K
constexpr std::int64_t kSuper = 256;  // of the K types, in groups of 16 or 32 with scales of their own

std::uint8_t byte_at(const std::byte* data, std::int64_t i) { return std::to_integer<std::uint8_t>(data[i]); }

template <typename T>
T read(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof(T));
  return value;
}

float half_at(const std::byte* data) { return c10::Half(read<std::uint16_t>(data), c10::Half::from_bits()); }

/// Calls `decode` for each block with its bytes and where its values go.
template <std::int64_t elements, std::int64_t bytes, typename Decode>
void for_blocks(const std::byte* data, std::int64_t blocks, float* values, Decode decode) {
  for (std::int64_t i = 0; i < blocks; ++i) decode(data + i * bytes, values + i * elements);
}

void from_f32(const std::byte* data, std::int64_t blocks, float* values) {
  std::memcpy(values, data, static_cast<std::size_t>(blocks) * sizeof(float));
}

void from_f16(const std::byte* data, std::int64_t blocks, float* values) {
  for (std::int64_t i = 0; i < blocks; ++i) values[i] = half_at(data + 2 * i);
}

void from_bf16(const std::byte* data, std::int64_t blocks, float* values) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(read<std::uint16_t>(data + 2 * i)) << 16);
  }
}

void from_f64(const std::byte* data, std::int64_t blocks, float* values) {
  for (std::int64_t i = 0; i < blocks; ++i) values[i] = static_cast<float>(read<double>(data + 8 * i));
}

// Low halves of the bytes are the first 16 values, high halves the last.
void from_q4_0(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSmall, 18>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * static_cast<float>((byte_at(block, 2 + i) & 15) - 8);
      out[i + 16] = scale * static_cast<float>((byte_at(block, 2 + i) >> 4) - 8);
    }
  });
}

void from_q4_1(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSmall, 20>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float least = half_at(block + 2);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * static_cast<float>(byte_at(block, 4 + i) & 15) + least;
      out[i + 16] = scale * static_cast<float>(byte_at(block, 4 + i) >> 4) + least;
    }
  });
}

// The fifth bits of the 32 values are a word of their own.
int five_bits(const std::byte* low, std::uint32_t high, int i) {
  const int nibble = i < 16 ? byte_at(low, i) & 15 : byte_at(low, i - 16) >> 4;
  return nibble | static_cast<int>(high >> i & 1) << 4;
}

void from_q5_0(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSmall, 22>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    const auto high = read<std::uint32_t>(block + 2);
    for (int i = 0; i < kSmall; ++i) out[i] = scale * static_cast<float>(five_bits(block + 6, high, i) - 16);
  });
}

void from_q5_1(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSmall, 24>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float least = half_at(block + 2);
    const auto high = read<std::uint32_t>(block + 4);
    for (int i = 0; i < kSmall; ++i) out[i] = scale * static_cast<float>(five_bits(block + 8, high, i)) + least;
  });
}

void from_q8_0(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSmall, 34>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (int i = 0; i < kSmall; ++i) {
      out[i] = scale * static_cast<float>(static_cast<std::int8_t>(byte_at(block, 2 + i)));
    }
  });
}

/// The scale and the minimum of group `i` of 8, 6 bits each, out of 12 bytes.
struct GroupScale {
  GroupScale(const std::byte* packed, int i) {
    if (i < 4) {
      scale = static_cast<float>(byte_at(packed, i) & 63);
      minimum = static_cast<float>(byte_at(packed, i + 4) & 63);
    } else {
      scale = static_cast<float>((byte_at(packed, i + 4) & 15) | (byte_at(packed, i - 4) >> 6) << 4);
      minimum = static_cast<float>((byte_at(packed, i + 4) >> 4) | (byte_at(packed, i) >> 6) << 4);
    }
  }
  float scale;
  float minimum;
};

// Groups of 32 values; two groups share 32 bytes, one has the low halves.
void from_q4_k(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSuper, 144>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (int group = 0; group < 8; ++group) {
      const GroupScale own(block + 4, group);
      const float d = scale * own.scale;
      const float m = minimum * own.minimum;
      for (int i = 0; i < 32; ++i) {
        const int nibble = byte_at(block, 16 + group / 2 * 32 + i) >> (group % 2 * 4) & 15;
        out[group * 32 + i] = d * static_cast<float>(nibble) - m;
      }
    }
  });
}

// The same with fifth bits: bit g of byte i is that of value i of group g.
void from_q5_k(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSuper, 176>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (int group = 0; group < 8; ++group) {
      const GroupScale own(block + 4, group);
      const float d = scale * own.scale;
      const float m = minimum * own.minimum;
      for (int i = 0; i < 32; ++i) {
        const int nibble = byte_at(block, 48 + group / 2 * 32 + i) >> (group % 2 * 4) & 15;
        const int high = byte_at(block, 16 + i) >> group & 1;
        out[group * 32 + i] = d * static_cast<float>(nibble | high << 4) - m;
      }
    }
  });
}

// Two halves of 128 values: value 32·q + i of a half has its low bits in byte 32·(q % 2) + i, in the half q / 2 of that
// byte, and its two high bits in byte i at 2·q. Each 16 values have a signed scale.
void from_q6_k(const std::byte* data, std::int64_t blocks, float* values) {
  for_blocks<kSuper, 210>(data, blocks, values, [](const std::byte* block, float* out) {
    const float scale = half_at(block + 208);
    for (int half = 0; half < 2; ++half) {
      for (int quarter = 0; quarter < 4; ++quarter) {
        for (int i = 0; i < 32; ++i) {
          const int low = byte_at(block, half * 64 + quarter % 2 * 32 + i) >> (quarter / 2 * 4) & 15;
          const int high = byte_at(block, 128 + half * 32 + i) >> (2 * quarter) & 3;
          const int index = half * 128 + quarter * 32 + i;
          const auto own = static_cast<std::int8_t>(byte_at(block, 192 + index / 16));
          out[index] = scale * static_cast<float>(own) * static_cast<float>((low | high << 4) - 32);
        }
      }
    }
  });
}

constexpr std::array kTypes{
    GgmlType{0, "F32", 1, 4, from_f32},
    GgmlType{1, "F16", 1, 2, from_f16},
    GgmlType{2, "Q4_0", kSmall, 18, from_q4_0},
    GgmlType{3, "Q4_1", kSmall, 20, from_q4_1},
    GgmlType{6, "Q5_0", kSmall, 22, from_q5_0},
    GgmlType{7, "Q5_1", kSmall, 24, from_q5_1},
    GgmlType{8, "Q8_0", kSmall, 34, from_q8_0},
    GgmlType{9, "Q8_1", kSmall, 36, nullptr},
    GgmlType{10, "Q2_K", kSuper, 84, nullptr},
    GgmlType{11, "Q3_K", kSuper, 110, nullptr},
    GgmlType{12, "Q4_K", kSuper, 144, from_q4_k},
    GgmlType{13, "Q5_K", kSuper, 176, from_q5_k},
    GgmlType{14, "Q6_K", kSuper, 210, from_q6_k},
    GgmlType{15, "Q8_K", kSuper, 292, nullptr},
    GgmlType{16, "IQ2_XXS", kSuper, 66, nullptr},
    GgmlType{17, "IQ2_XS", kSuper, 74, nullptr},
    GgmlType{18, "IQ3_XXS", kSuper, 98, nullptr},
    GgmlType{19, "IQ1_S", kSuper, 50, nullptr},
    GgmlType{20, "IQ4_NL", kSmall, 18, nullptr},
    GgmlType{21, "IQ3_S", kSuper, 110, nullptr},
    GgmlType{22, "IQ2_S", kSuper, 82, nullptr},
    GgmlType{23, "IQ4_XS", kSuper, 136, nullptr},
    GgmlType{24, "I8", 1, 1, nullptr},
    GgmlType{25, "I16", 1, 2, nullptr},
    GgmlType{26, "I32", 1, 4, nullptr},
    GgmlType{27, "I64", 1, 8, nullptr},
    GgmlType{28, "F64", 1, 8, from_f64},
    GgmlType{29, "IQ1_M", kSuper, 56, nullptr},
    GgmlType{30, "BF16", 1, 2, from_bf16},
    GgmlType{34, "TQ1_0", kSuper, 54, nullptr},
    GgmlType{35, "TQ2_0", kSuper, 66, nullptr},
    GgmlType{39, "MXFP4", kSmall, 17, nullptr},
};

}  // namespace

const GgmlType* find_type(std::uint32_t id) {
  const auto it = std::ranges::find(kTypes, id, &GgmlType::id);
  return it == kTypes.end() ? nullptr : &*it;
}

std::string supported_type_names() {
  std::string names;
  for (const GgmlType& type : kTypes) {
    if (type.dequantize) names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names;
}

}  // namespace specthink::inline model::gguf
