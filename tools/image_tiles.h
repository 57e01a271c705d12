#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nets/training/manifest.h"
#include "wsi/grid.h"

namespace clmnet::tools {

/// What results list a tile of a slide or of an image by: "<path>@<x>_<y>".
std::string tile_name(const std::filesystem::path& file, std::int64_t x, std::int64_t y);

/// A row for each tile of an image with um_per_px: the image is brought to grid.um_per_px and cut into the fewest squares of
/// grid.tile_px, evenly spaced and at most grid.stride_px apart, that cover it; one smaller than a tile lies in the middle of one
/// and is mirrored at its edges. A tile of a tumour image with a mask has the class of nets::label_of_view; one whose class is not
/// known by it is left out.
/// Throws InputError as load_labelled_image, and for an image smaller than a quarter of a tile.
std::vector<nets::ManifestRow> tiles_of_image(const nets::ManifestRow& row, const wsi::GridOptions& grid);

/// Pixels and mask of a row that tiles_of_image made with the same grid. Throws InputError as load_labelled_image.
nets::LabelledImage load_image_tile(const nets::ManifestRow& row, const wsi::GridOptions& grid);

}  // namespace clmnet::tools
