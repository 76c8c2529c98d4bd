// What result files and traces call those who propose tokens.
#pragma once

namespace specthink::inline report {

inline constexpr const char* kNgramKey = "ngram";
inline constexpr const char* kDraftKey = "draft";

}  // namespace specthink::inline report
