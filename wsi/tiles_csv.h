#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "wsi/grid.h"

namespace clmnet::wsi {

/// Columns of probabilities beside the tiles: of a class, or of one network.
struct TileColumn {
  std::string name;              ///< "prob_tumor", then "vgg16", ...
  std::vector<float> values;     ///< one per tile; NaN: no result, an empty cell
};

/// tiles.csv as WSInfer writes it: minx,miny,width,height in level-0 px, then prob_<class>..., then a column per network.
/// side  of a tile in level-0 px, written rounded.
/// Whole or absent. Throws InputError when it cannot be written, std::invalid_argument for columns of another length.
void write_tiles_csv(const std::filesystem::path& path, std::span<const TileSpec> tiles, TileSideLevel0 side,
                     const std::vector<TileColumn>& columns);

}  // namespace clmnet::wsi
