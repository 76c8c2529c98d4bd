// Sizes that kernels, decoders and commands share.
#pragma once

#include <array>

namespace specthink::inline kernels {

constexpr int kMaxStepRows = 16;                              ///< rows of a decode step, over all its sequences
constexpr std::array<int, 5> kStepRowCounts{1, 2, 4, 8, 16};  ///< rows that a step is built for: others are padded
constexpr int kMaxBatchRows = 128;                            ///< rows of a decode step of many sequences
constexpr std::array<int, 3> kBatchRowCounts{32, 64, 128};    ///< beyond kStepRowCounts: rows of a batch, padded
constexpr int kMaxSequences = 128;                            ///< sequences that have pages of the cache
constexpr int kMaxSlots = kMaxSequences;                      ///< sequences whose state a decode step keeps
constexpr int kMaxCandidates = 64;                            ///< top_k that the device samples from
constexpr int kMaxEosIds = 16;                                ///< of a request
constexpr int kPageTokens = 128;                              ///< positions of a page of the KV cache

}  // namespace specthink::inline kernels
