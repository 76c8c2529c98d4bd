// Messages for people, on stderr; stdout belongs to results. Only rank 0 speaks unless a rank fails.
#pragma once

#include <spdlog/spdlog.h>

#if FMT_VERSION < 100000 && !defined(__clang__)
// spdlog's templates call this function, whose code is in libfmt (later versions say so themselves; clang would look
// for it under another name). Without the declaration every file that logs compiles most of fmt again.
extern template void fmt::detail::vformat_to<char>(fmt::detail::buffer<char>&, fmt::string_view,
                                                   fmt::basic_format_args<fmt::buffer_context<char>>,
                                                   fmt::detail::locale_ref);
#endif

namespace specthink::inline base {

/// Sends log lines to stderr as `specthink: message`. A rank other than 0 logs errors only.
void init_logging(int rank);

}  // namespace specthink::inline base
