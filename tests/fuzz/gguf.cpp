// Any bytes as a GGUF file; what is accepted is turned into configuration and tokenizer, and every block is
// dequantised.
#include <algorithm>
#include <vector>

#include "fuzz/input.h"
#include "model/gguf/gguf_config.h"
#include "model/gguf/gguf_file.h"

using namespace specthink;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::InputFile input(fuzz::text_of(data, size));
  fuzz::allow_user_error([&] {
    const gguf::GgufFile file(input.path());
    std::size_t sum = 0;
    for (const auto& entry : file.tensors()) {
      const std::string& name = entry.first;
      const auto& tensor = entry.second;
      const std::int64_t blocks = tensor.elements() / tensor.type->block_elements;
      check(static_cast<std::int64_t>(tensor.bytes.size()) == blocks * tensor.type->block_bytes,
            "shape and bytes agree");
      sum += tensor.bytes.size();
      if (!tensor.type->dequantize) continue;
      std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
      tensor.type->dequantize(tensor.bytes.data(), blocks, values.data());
      fuzz::allow_user_error([&] { static_cast<void>(gguf::weight_name(file, name)); });
    }
    check(sum <= size, "no byte belongs to two tensors");
    for (Json (*make)(const gguf::GgufFile&) :
         {gguf::model_config, gguf::generation_config, gguf::tokenizer, gguf::tokenizer_config}) {
      fuzz::allow_user_error([&] { static_cast<void>(make(file)); });
    }
  });
  return 0;
}
