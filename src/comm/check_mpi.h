// Checks of MPI calls.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <limits>

#include "specthink/base/error.h"

namespace specthink::inline comm {

/// Throws EnvironmentError with MPI's own words.
inline void check_mpi(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw EnvironmentError("MPI: {} failed: {}", call, text);
}

inline int to_count(std::size_t bytes) {
  check(bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "an MPI message of more than 2 GiB");
  return static_cast<int>(bytes);
}

}  // namespace specthink::inline comm
