#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace clmnet::wsi {

/// Writes a BigTIFF slide (Aperio's, 0.5 µm/px, tiles of 256 px, levels of 1, 4 and 16) of which every stored tile is one of a
/// handful of JPEG tiles: 200,000 x 200,000 px take 15 MB on disk. Throws std::runtime_error where it cannot be written.
void write_sparse_slide(const std::filesystem::path& path, std::int64_t side_px);

/// RGB rows of the stored tile `index` of a level, before JPEG; tiles differ by index % 5.
std::vector<std::uint8_t> sparse_tile_rgb(std::int64_t index);

}  // namespace clmnet::wsi
