#include "wsi/tiles_csv.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"

namespace clmnet::wsi {

void write_tiles_csv(const std::filesystem::path& path, std::span<const TileSpec> tiles, TileSideLevel0 side,
                     const std::vector<TileColumn>& columns) {
  std::string text = "minx,miny,width,height";
  for (const auto& column : columns) {
    if (column.values.size() != tiles.size()) throw std::invalid_argument("write_tiles_csv: '" + column.name + "' is not one value per tile");
    text += ',';
    text += csv_field(column.name);
  }
  text += '\n';
  std::string size;
  for (const double length : {side.width, side.height}) {
    size += ',';
    size += std::to_string(std::llround(length));
  }
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    text += std::to_string(tiles[i].origin.x);
    text += ',';
    text += std::to_string(tiles[i].origin.y);
    text += size;
    for (const auto& column : columns) {
      text += ',';
      if (std::isnan(column.values[i])) continue;
      char digits[32];
      text.append(digits, std::to_chars(digits, digits + sizeof digits, column.values[i]).ptr);
    }
    text += '\n';
  }
  write_atomically(path, text);
}

}  // namespace clmnet::wsi
