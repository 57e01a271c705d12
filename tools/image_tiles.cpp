#include "tools/image_tiles.h"

#include <cmath>

#include <opencv2/imgproc.hpp>

#include "nets/training/augment.h"
#include "tools/base/error.h"
#include "tools/image_loader.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

/// An image at another resolution; of the mask the pixels that are tumour for the most part.
nets::LabelledImage at_scale(const nets::LabelledImage& image, double scale) {
  const auto pixels = [](const torch::Tensor& x, int type) {
    return cv::Mat(static_cast<int>(x.size(0)), static_cast<int>(x.size(1)), type, x.data_ptr<std::uint8_t>());
  };
  const auto side = [&](std::int64_t px) { return std::max(1, static_cast<int>(std::lround(scale * static_cast<double>(px)))); };
  const cv::Size size(side(image.rgb.size(1)), side(image.rgb.size(0)));
  const int how = scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR;
  nets::LabelledImage out;
  out.label = image.label;
  cv::Mat rgb, mask;
  cv::resize(pixels(image.rgb, CV_8UC3), rgb, size, 0, 0, how);
  out.rgb = to_tensor(rgb);
  if (!image.mask.defined()) return out;
  cv::resize(pixels(image.mask, CV_8U) * 255, mask, size, 0, 0, how);
  out.mask = to_tensor(mask).ge(128).to(torch::kUInt8);
  return out;
}

/// The whole image that a row's tile is a part of, at the tiles' resolution.
nets::LabelledImage whole_image(const nets::ManifestRow& row, const wsi::GridOptions& grid) {
  nets::ManifestRow file = row;
  file.image = row.cut->image;
  return at_scale(load_labelled_image(file), row.cut->um_per_px / grid.um_per_px.x);
}

nets::LabelledImage tile_at(const nets::LabelledImage& image, std::int64_t x, std::int64_t y, std::int64_t px) {
  const auto part = [&](const torch::Tensor& t) { return t.narrow(0, y, px).narrow(1, x, px).contiguous(); };
  nets::LabelledImage tile;
  tile.rgb = part(image.rgb);
  if (image.mask.defined()) tile.mask = part(image.mask);
  tile.label = nets::label_of_view(image.label, tile.mask);
  return tile;
}

/// Where tiles begin along a side.
std::vector<std::int64_t> starts(std::int64_t side, const wsi::GridOptions& grid) {
  const std::int64_t room = side - grid.tile_px, steps = (room + grid.stride_px - 1) / grid.stride_px;
  std::vector<std::int64_t> out = {0};
  for (std::int64_t i = 1; i <= steps; ++i) out.push_back((2 * i * room + steps) / (2 * steps));  // rounded
  return out;
}

}  // namespace

std::string tile_name(const std::filesystem::path& file, std::int64_t x, std::int64_t y) {
  return file.string() + "@" + std::to_string(x) + "_" + std::to_string(y);
}

std::vector<nets::ManifestRow> tiles_of_image(const nets::ManifestRow& row, const wsi::GridOptions& grid) {
  const nets::LabelledImage image = whole_image(row, grid);
  const std::int64_t height = image.rgb.size(0), width = image.rgb.size(1);
  if (height < grid.tile_px || width < grid.tile_px) {
    throw InputError(row.image.string() + ": is " + std::to_string(width) + " x " + std::to_string(height) + " px at " +
                     number_text(grid.um_per_px.x) + " µm/px, expected at least a tile of " + std::to_string(grid.tile_px) +
                     "; leave um_per_px empty to have it enlarged to one");
  }
  std::vector<nets::ManifestRow> tiles;
  for (const std::int64_t y : starts(height, grid)) {
    for (const std::int64_t x : starts(width, grid)) {
      const int label = tile_at(image, x, y, grid.tile_px).label;
      if (label < 0 && row.label >= 0) continue;
      nets::ManifestRow tile = row;
      tile.cut->x = x;
      tile.cut->y = y;
      tile.image = tile_name(row.image, x, y);
      tile.label = label;
      tiles.push_back(std::move(tile));
    }
  }
  return tiles;
}

nets::LabelledImage load_image_tile(const nets::ManifestRow& row, const wsi::GridOptions& grid) {
  return tile_at(whole_image(row, grid), row.cut->x, row.cut->y, grid.tile_px);
}

}  // namespace clmnet::tools
