#include "nets/checkpoint/weights_file.h"

#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/torch_pth.h"
#include "tools/base/error.h"

namespace clmnet::nets {

NamedTensors load_weights_file(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".safetensors") return load_safetensors(path).tensors;
  if (extension == ".pth" || extension == ".pt") return load_torch_pth(path);
  throw InputError(path.string() + ": unknown kind of weight file '" + extension + "', expected .safetensors, .pth or .pt");
}

}  // namespace clmnet::nets
