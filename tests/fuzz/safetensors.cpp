// Any bytes as a .safetensors file; every byte of every tensor that is accepted is read.
#include "specthink/model/safetensors.h"

#include "fuzz/input.h"

using namespace specthink;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::InputFile file(fuzz::text_of(data, size));
  fuzz::allow_user_error([&] {
    const SafetensorsFile tensors(file.path());
    std::size_t sum = 0;
    for (const std::string& name : tensors.names()) {
      fuzz::allow_user_error([&] {  // of a type that is not supported
        const StoredTensor* tensor = tensors.find(name);
        check(tensor != nullptr && tensor->name == name, "a tensor is found by its name");
        check(tensor->offset() + tensor->bytes.size() <= size, "a tensor lies within the file");
        std::size_t count = size_of(tensor->type);
        for (const std::int64_t extent : tensor->shape) count *= static_cast<std::size_t>(extent);
        check(count == tensor->bytes.size(), "the shape fills the bytes");
        for (const std::byte byte : tensor->bytes) sum += std::to_integer<std::size_t>(byte);
        static_cast<void>(tensor->where());
      });
    }
    check(sum <= 255 * size, "no byte belongs to two tensors");
  });
  return 0;
}
