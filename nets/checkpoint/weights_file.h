#pragma once

#include <filesystem>

#include "nets/checkpoint/state_dict.h"

namespace clmnet::nets {

/// Tensors of a weight file, by its extension: .safetensors, or .pth and .pt in torch's zip form.
/// Throws InputError for another extension and as the formats' own readers do.
NamedTensors load_weights_file(const std::filesystem::path& path);

}  // namespace clmnet::nets
