// What a finished benchmark prints.
#pragma once

#include <span>
#include <string>

#include "specthink/evaluation/summary.h"

namespace specthink::inline evaluation {

/// The sections latency, throughput, tokens and (nominal) target share with mean, median, std, min and max: one column
/// a mode and, for two modes, their ratio; then the overall comparison, accuracy where it is known, and what the models
/// really did, from the ledgers.
std::string summary_text(std::span<const ModeSummary> modes);

}  // namespace specthink::inline evaluation
