#include "specthink/kernels/decode_step.h"

#ifdef SPECTHINK_WITH_CUDA
#include "kernels/decode_step_cuda.h"
#else
#include "specthink/base/error.h"
#endif

namespace specthink {

std::string step_obstacle(const StepModel& model) {
#ifdef SPECTHINK_WITH_CUDA
  return cuda_step_obstacle(model);
#else
  return "this build has no CUDA code";
#endif
}

std::unique_ptr<DecodeStep> DecodeStep::create(StepModel model, const ProcessGroup& group, Collectives& collectives,
                                               const Options& options) {
#ifdef SPECTHINK_WITH_CUDA
  return create_cuda_decode_step(std::move(model), group, collectives, options);
#else
  throw InternalError("a CPU build has no decode kernels");
#endif
}

}  // namespace specthink
