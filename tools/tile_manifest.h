#pragma once

#include <cstddef>
#include <filesystem>

#include "tools/tile_setup.h"

namespace clmnet::tools {

/// manifest.csv of all finished slides in the folder, as `clmnet train` takes it. Tiles of unknown class are left out: nothing
/// can be learned from them. Returns the number of lines.
/// Throws InputError when it cannot be written.
std::size_t write_tile_manifest(const std::filesystem::path& out, const TileSetup& setup);

}  // namespace clmnet::tools
