#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "nets/torch.h"
#include "tools/cv/cv_data.h"
#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// RUN/examples/*.jpg: each image beside itself under the map of its fold's ensemble, with the outline of its mask.
/// Result: [{file, kind, caption}], also in RUN/examples/examples.json; pictures of the same predictions are not drawn again.
nlohmann::json draw_examples(const std::filesystem::path& run, const CvTable& table, const CvData& data, torch::Device device,
                             ProgressBar& bar);

}  // namespace clmnet::tools
