#pragma once

#include <filesystem>
#include <functional>

#include <nlohmann/json.hpp>

#include "tools/tile_setup.h"
#include "wsi/slide.h"

namespace clmnet::tools {

/// What a slide's results depend on beside the configuration: the slide, its annotation and its patient.
/// Throws InputError where one of them cannot be read.
nlohmann::json tile_inputs(const std::filesystem::path& slide, const TileSetup& setup);

/// Makes folder/tiles.h5, tiles.csv, with images folder/images/, with annotations folder/masks/, and closes them with
/// summary.json, which it returns. What an unfinished run left in these is replaced.
/// progress  called with tiles done and tiles in all; may throw to stop.
/// Throws InputError for a slide, annotation or disk that does not do it.
nlohmann::json tile_slide(const wsi::Slide& slide, const nlohmann::json& inputs, const TileSetup& setup,
                          const std::filesystem::path& folder, const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace clmnet::tools
