#include "tools/image_tiles.h"

#include <cmath>

#include <opencv2/imgproc.hpp>

#include "nets/training/augment.h"
#include "tools/base/error.h"
#include "tools/image_loader.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

/// The tensor's own pixels.
cv::Mat pixels(const torch::Tensor& x, int type) {
  return cv::Mat(static_cast<int>(x.size(0)), static_cast<int>(x.size(1)), type, x.data_ptr<std::uint8_t>());
}

/// An image at another resolution; of the mask the pixels that are tumour for the most part.
nets::LabelledImage at_scale(const nets::LabelledImage& image, double scale) {
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

/// An image with sides of at least `px`: what is missing is mirrored at its edges, as training fills views that see less than a tile.
nets::LabelledImage filled(const nets::LabelledImage& image, int px) {
  const auto missing = [&](int dim) { return std::max(0, px - static_cast<int>(image.rgb.size(dim))); };
  const int below = missing(0), beside = missing(1);
  if (below == 0 && beside == 0) return image;
  const auto grow = [&](const torch::Tensor& x, int type) {
    cv::Mat out;
    cv::copyMakeBorder(pixels(x, type), out, below / 2, below - below / 2, beside / 2, beside - beside / 2, cv::BORDER_REFLECT_101);
    return to_tensor(out);
  };
  nets::LabelledImage out;
  out.label = image.label;
  out.rgb = grow(image.rgb, CV_8UC3);
  if (image.mask.defined()) out.mask = grow(image.mask, CV_8U);
  return out;
}

/// The whole image that a row's tile is a part of, at the tiles' resolution and at least a tile large.
nets::LabelledImage whole_image(const nets::ManifestRow& row, const wsi::GridOptions& grid) {
  nets::ManifestRow file = row;
  file.image = row.cut->image;
  const nets::LabelledImage image = at_scale(load_labelled_image(file), row.cut->um_per_px / grid.um_per_px.x);
  const std::int64_t height = image.rgb.size(0), width = image.rgb.size(1), least = (grid.tile_px + 3) / 4;
  if (height < least || width < least) {
    throw InputError(row.cut->image.string() + ": is " + std::to_string(width) + " x " + std::to_string(height) + " px at " +
                     number_text(grid.um_per_px.x) + " µm/px, expected at least a quarter of a tile, " + std::to_string(least) +
                     "; leave um_per_px empty to have it enlarged to one");
  }
  return filled(image, grid.tile_px);
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
  std::vector<nets::ManifestRow> tiles;
  for (const std::int64_t y : starts(image.rgb.size(0), grid)) {
    for (const std::int64_t x : starts(image.rgb.size(1), grid)) {
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
