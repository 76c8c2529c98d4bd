// The CUDA side of decode_step.h; CUDA builds only.
#pragma once

#include "specthink/kernels/decode_step.h"

namespace specthink {

std::string cuda_step_obstacle(const StepModel& model);

std::unique_ptr<DecodeStep> create_cuda_decode_step(StepModel model, const ProcessGroup& group,
                                                    Collectives& collectives, const DecodeStep::Options& options);

}  // namespace specthink
