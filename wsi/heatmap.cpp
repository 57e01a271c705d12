#include "wsi/heatmap.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "wsi/tiff_writer.h"

namespace clmnet::wsi {
namespace {

/// Half the size, rounded up; the mean of the pixels with data among each four, no data where none has.
cv::Mat halved(const cv::Mat& code) {
  cv::Mat half((code.rows + 1) / 2, (code.cols + 1) / 2, CV_8U);
  for (int y = 0; y < half.rows; ++y) {
    // Beyond an odd edge the last row or column is taken twice, which leaves the mean as it is.
    const uchar* rows[2] = {code.ptr(2 * y), code.ptr(std::min(2 * y + 1, code.rows - 1))};
    uchar* out = half.ptr(y);
    for (int x = 0; x < half.cols; ++x) {
      const int left = 2 * x, right = std::min(2 * x + 1, code.cols - 1);
      const int sum = rows[0][left] + rows[0][right] + rows[1][left] + rows[1][right];
      const int n = (rows[0][left] > 0) + (rows[0][right] > 0) + (rows[1][left] > 0) + (rows[1][right] > 0);
      out[x] = n == 0 ? uchar{0} : static_cast<uchar>((sum + n / 2) / n);
    }
  }
  return half;
}

void write_page(TiffWriter& writer, const cv::Mat& code, const TiffPage& page) {
  writer.begin(page);
  for (int top = 0; top < code.rows; top += page.tile_px) {
    for (int left = 0; left < code.cols; left += page.tile_px) {
      cv::Mat tile = cv::Mat::zeros(page.tile_px, page.tile_px, CV_8U);
      const cv::Rect inside(left, top, std::min(page.tile_px, code.cols - left), std::min(page.tile_px, code.rows - top));
      code(inside).copyTo(tile({0, 0, inside.width, inside.height}));
      writer.write_tile(left / page.tile_px, top / page.tile_px, tile.data, tile.total());
    }
  }
  writer.end();
}

}  // namespace

cv::Mat encode_probability(const ProbabilityMap& map, int channel) {
  if (channel < 0 || channel >= static_cast<int>(map.probability.size())) {
    throw std::invalid_argument("encode_probability: the map has no channel " + std::to_string(channel));
  }
  const cv::Mat& probability = map.probability[static_cast<std::size_t>(channel)];
  cv::Mat code(probability.size(), CV_8U);
  for (int y = 0; y < code.rows; ++y) {
    const uchar* valid = map.valid.ptr(y);
    const auto* value = probability.ptr<float>(y);
    uchar* out = code.ptr(y);
    for (int x = 0; x < code.cols; ++x) {
      const auto rounded = static_cast<int>(254 * std::clamp(value[x], 0.0F, 1.0F) + 0.5);
      out[x] = valid[x] == 0 ? uchar{0} : static_cast<uchar>(1 + rounded);
    }
  }
  return code;
}

void write_heatmap(const std::filesystem::path& path, const ProbabilityMap& map, const HeatmapOptions& options) {
  if (options.tile_px < 16 || options.tile_px % 16 != 0) throw std::invalid_argument("write_heatmap: tile_px is not a multiple of 16");
  cv::Mat code = encode_probability(map, options.channel);
  TiffWriter writer(path, code.total() > (std::size_t{1} << 31));
  TiffPage page;
  page.tile_px = options.tile_px;
  page.channels = 1;
  page.description = options.description + (options.description.empty() ? "" : "; ") + "0: no data, else probability = (value - 1) / 254";
  const double width_um = map.geometry.um_per_px().x * code.cols, height_um = map.geometry.um_per_px().y * code.rows;
  for (;;) {
    page.size = {code.cols, code.rows};
    page.um_per_px = UmPerPx{width_um / code.cols, height_um / code.rows};
    write_page(writer, code, page);
    if (std::max(code.cols, code.rows) <= options.tile_px) break;
    code = halved(code);
    page.reduced = true;
    page.description.clear();
  }
  writer.commit();
}

}  // namespace clmnet::wsi
