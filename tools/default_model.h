#pragma once

#include <filesystem>

namespace clmnet::tools {

/// The model that comes with clmnet: $CLMNET_MODEL, else nets/zoo/clmnet-s of the source tree that the program was built from.
std::filesystem::path default_model_folder();

}  // namespace clmnet::tools
