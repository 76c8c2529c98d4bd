#include <fmt/format.h>

#include "app/commands.h"
#include "specthink/comm/device.h"
#include "specthink/comm/process_group.h"

namespace specthink::inline app {

std::string version_text() {
  return fmt::format("specthink {}\nMPI   {}\nNCCL  {}\ntorch {}\nCUDA  {}\n", SPECTHINK_VERSION,
                     MpiSession::library_version(), nccl_version(), SPECTHINK_TORCH_VERSION, cuda_version());
}

}  // namespace specthink::inline app
