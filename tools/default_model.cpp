#include "tools/default_model.h"

#include <cstdlib>

namespace clmnet::tools {

std::filesystem::path default_model_folder() {
  if (const char* folder = std::getenv("CLMNET_MODEL"); folder != nullptr && *folder != '\0') return folder;
  return std::filesystem::path(CLMNET_SOURCE_DIR) / "nets" / "zoo" / "clmnet-s";
}

}  // namespace clmnet::tools
