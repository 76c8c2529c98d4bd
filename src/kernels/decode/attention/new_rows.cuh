// This step's rows in the attention: queries, new keys and values; used by attention_kernel.cuh alone.
#pragma once

#include "kernels/decode/attention/heads.cuh"
#include "kernels/decode/attention/work.cuh"

namespace specthink::inline kernels {

/// The queries of a cluster and the new keys and values of its sequence, from the qkv linear layer to shared memory and
/// to the cache.
template <typename T, int kHeadDim, int kQueryTiles, int kBlocks, int kWarpsOfBlock>
class NewRows {
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks, kWarpsOfBlock>;
  using Vector = HeadVector<T, kHeadDim>;
  static constexpr int kWarps = Memory::kWarps;
  static constexpr int kQueriesOfWarp = Memory::kAll / kWarps;
  static constexpr int kAddedAtOnce = kQueryTiles == 1 ? 1 : 4;

 public:
  /// Loads what does not depend on the qkv linear layer. `attends`: this block attends to the new rows, and stores
  /// them.
  __device__ __forceinline__ NewRows(const AttentionParams& p, const AttentionWork& work, const std::int32_t* pages,
                                     bool attends)
      : p_(p), work_(work), warp_(static_cast<int>(threadIdx.x) / 32), vectors_(attends ? 2 * work.valid_rows : 0) {
    // The new rows lie in two pages at most.
    first_page_ = work.position / p.page_tokens;
    page_of_first_ = __ldg(pages + first_page_);
    page_of_last_ = __ldg(pages + (work.position + work.valid_rows - 1) / p.page_tokens);
#pragma unroll
    for (int i = 0; i < kQueriesOfWarp; ++i) {
      const int query = first_of_warp() + i;
      queries_[i].load_tables(p, work.kv_head * work.group + query % work.group, work.position + row_of_query(query));
    }
    each_added(warp_, [&](Vector& vector, int i) { load_tables(vector, i); });
  }

  /// After the qkv linear layer.
  __device__ __forceinline__ void finish(Memory& shared) {
    each_added(warp_, [&](Vector& vector, int i) { load(vector, i); });
#pragma unroll
    for (int i = 0; i < kQueriesOfWarp; ++i) {
      queries_[i].load(p_, work_.first_row + row_of_query(first_of_warp() + i));
    }
#pragma unroll
    for (int i = 0; i < kQueriesOfWarp; ++i) {
      queries_[i].finish(p_);
      queries_[i].store_swizzled(shared.queries, warp_ * kQueriesOfWarp + i);
    }
    for (int first = warp_; first < vectors_; first += kAddedAtOnce * kWarps) {
      if (first != warp_) {
        each_added(first, [&](Vector& vector, int i) { load_tables(vector, i); });
        each_added(first, [&](Vector& vector, int i) { load(vector, i); });
      }
      each_added(first, [&](Vector& vector, int i) { store(shared, vector, i); });
    }
  }

 private:
  __device__ __forceinline__ int first_of_warp() const { return work_.first_query + warp_ * kQueriesOfWarp; }

  /// Rows beyond the valid ones are computed like the last valid one; nobody reads their results.
  __device__ __forceinline__ int row_of_query(int query) const {
    return min(query / work_.group, work_.valid_rows - 1);
  }

  /// Vector i is the new key (i even) or value of row i / 2; a warp takes every kWarps-th, a few at a time, whose loads
  /// overlap.
  template <typename What>
  __device__ __forceinline__ void each_added(int first, const What& what) {
#pragma unroll
    for (int k = 0; k < kAddedAtOnce; ++k) {
      const int i = first + k * kWarps;
      if (i < vectors_) what(added_[k], i);
    }
  }
  __device__ __forceinline__ void load_tables(Vector& vector, int i) const {
    vector.load_tables(p_, p_.heads + i % 2 * p_.kv_heads + work_.kv_head, work_.position + i / 2);
  }
  __device__ __forceinline__ void load(Vector& vector, int i) const { vector.load(p_, work_.first_row + i / 2); }
  __device__ __forceinline__ void store(Memory& shared, Vector& vector, int i) const {
    vector.finish(p_);
    const bool is_key = i % 2 == 0;
    const int row = i / 2;
    vector.store_swizzled(is_key ? shared.new_rows.keys : shared.new_rows.values, row);
    if (work_.first_query != 0) return;
    const int at = work_.position + row;
    const std::int64_t page = at / p_.page_tokens == first_page_ ? page_of_first_ : page_of_last_;
    vector.store_row(static_cast<T*>(is_key ? p_.keys : p_.values) +
                     ((page * p_.page_tokens + at % p_.page_tokens) * p_.kv_heads + work_.kv_head) * kHeadDim);
  }

  const AttentionParams& p_;
  const AttentionWork& work_;
  int warp_;
  int vectors_;
  int first_page_, page_of_first_, page_of_last_;
  Vector queries_[kQueriesOfWarp];
  Vector added_[kAddedAtOnce];
};

}  // namespace specthink::inline kernels
