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
    for (int x = 0; x < half.cols; ++x) {
      int sum = 0, n = 0;
      for (int v = 2 * y; v < std::min(2 * y + 2, code.rows); ++v) {
        for (int u = 2 * x; u < std::min(2 * x + 2, code.cols); ++u) {
          const int value = code.at<uchar>(v, u);
          sum += value;
          n += value > 0 ? 1 : 0;
        }
      }
      half.at<uchar>(y, x) = n == 0 ? uchar{0} : static_cast<uchar>((sum + n / 2) / n);
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
  cv::Mat code = cv::Mat::zeros(probability.size(), CV_8U);
  for (int y = 0; y < code.rows; ++y) {
    for (int x = 0; x < code.cols; ++x) {
      if (map.valid.at<uchar>(y, x) == 0) continue;
      code.at<uchar>(y, x) = static_cast<uchar>(1 + std::lround(254 * std::clamp(probability.at<float>(y, x), 0.0F, 1.0F)));
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
