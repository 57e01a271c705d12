#include "wsi/overlay.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <opencv2/imgproc.hpp>
#include <tbb/parallel_for.h>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/canvas.h"
#include "wsi/colour_map.h"
#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

constexpr Colour kText{40, 40, 40};
const cv::Scalar kTissueLine(30, 30, 30);
const cv::Scalar kTumourLine(235, 20, 90);

/// Sizes of everything on the sheet follow the picture's longer side.
struct Layout {
  cv::Size picture;
  int text, margin, bar_column, top, bottom;

  explicit Layout(cv::Size size) : picture(size) {
    const int side = std::max(size.width, size.height);
    text = std::clamp(side / 58, 11, 40);
    margin = text * 2;
    bar_column = text * 9;
    top = text * 4;
    bottom = text * 5;
  }
  // A slide may be a narrow strip; title and bars need their room.
  int width() const { return std::max(picture.width + 2 * margin + bar_column, text * 26); }
  int height() const { return std::max(picture.height, text * 14) + top + bottom; }
  cv::Rect place() const { return {margin, top, picture.width, picture.height}; }
};

void blend_heatmap(cv::Mat& picture, const ProbabilityMap& map, const OverlayOptions& options) {
  const cv::Mat& probability = map.probability[static_cast<std::size_t>(options.channel)];
  // Value and validity are scaled apart, so that no data does not read as low probability along its edge.
  cv::Mat weight, scaled_weight, scaled;
  map.valid.convertTo(weight, CV_32F, 1.0 / 255);
  cv::resize(weight, scaled_weight, picture.size(), 0, 0, cv::INTER_LINEAR);
  cv::resize(probability.mul(weight), scaled, picture.size(), 0, 0, cv::INTER_LINEAR);
  constexpr int kSteps = 255;
  std::array<std::array<std::uint8_t, 3>, kSteps + 1> colours;
  for (int i = 0; i <= kSteps; ++i) colours[static_cast<std::size_t>(i)] = viridis(static_cast<double>(i) / kSteps);
  tbb::parallel_for(0, picture.rows, [&](int y) {
    const auto* weights = scaled_weight.ptr<float>(y);
    const auto* values = scaled.ptr<float>(y);
    auto* row = picture.ptr<cv::Vec3b>(y);
    for (int x = 0; x < picture.cols; ++x) {
      if (weights[x] < 0.5F) continue;
      const float value = std::clamp(values[x] / weights[x], 0.0F, 1.0F);
      const float opacity = static_cast<float>(options.opacity) * std::min(1.0F, 2 * value);
      const auto& colour = colours[static_cast<std::size_t>(value * kSteps + 0.5F)];
      for (int c = 0; c < 3; ++c) {
        const float mixed = static_cast<float>(row[x][c]) * (1 - opacity) + static_cast<float>(colour[static_cast<std::size_t>(c)]) * opacity;
        row[x][c] = static_cast<uchar>(mixed + 0.5F);
      }
    }
  });
}

void draw_outline(cv::Mat& picture, const cv::Mat& mask, const cv::Scalar& colour, int thickness, bool halo) {
  if (mask.empty() || cv::countNonZero(mask) == 0) return;
  // Scaled as grey and cut at the half, an outline is smooth where the mask's pixels are large.
  cv::Mat grey, scaled;
  mask.convertTo(grey, CV_32F, 1.0 / 255);
  cv::resize(grey, scaled, picture.size(), 0, 0, cv::INTER_LINEAR);
  const cv::Mat cut = scaled >= 0.5;
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(cut, contours, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  if (halo) cv::drawContours(picture, contours, -1, {255, 255, 255}, thickness + 2, cv::LINE_AA);
  cv::drawContours(picture, contours, -1, colour, thickness, cv::LINE_AA);
}

void draw_colour_bar(cv::Mat& sheet, const Layout& layout, const std::string& name) {
  const int width = layout.text * 3 / 2;
  const cv::Rect bar(layout.place().br().x + layout.margin, layout.top + layout.text * 4, width,
                     std::min(layout.text * 24, std::max(layout.text * 8, layout.picture.height - layout.text * 12)));
  for (int y = 0; y < bar.height; ++y) {
    const auto colour = viridis(1 - (y + 0.5) / bar.height);
    cv::line(sheet, {bar.x, bar.y + y}, {bar.br().x - 1, bar.y + y}, {double(colour[0]), double(colour[1]), double(colour[2])});
  }
  cv::rectangle(sheet, bar, {40, 40, 40}, 1);
  for (const char* tick : {"0", "0.25", "0.5", "0.75", "1"}) {
    const int y = bar.y + static_cast<int>(std::lround((1 - std::stod(tick)) * (bar.height - 1)));
    cv::line(sheet, {bar.br().x, y}, {bar.br().x + layout.text / 3, y}, {40, 40, 40}, 1);
    draw_text(sheet, tick, {bar.br().x + layout.text * 2 / 3, y}, layout.text, kText);
  }
  const auto space = name.find(' ');
  draw_text(sheet, name.substr(0, space), {bar.x, bar.y - layout.text * 3}, layout.text, kText);
  if (space != std::string::npos) draw_text(sheet, name.substr(space + 1), {bar.x, bar.y - layout.text * 8 / 5}, layout.text, kText);
}

void draw_key(cv::Mat& sheet, const Layout& layout, cv::Point at, const std::string& name, const cv::Scalar& colour) {
  cv::line(sheet, at, {at.x + layout.text * 3 / 2, at.y}, colour, std::max(2, layout.text / 6), cv::LINE_AA);
  draw_text(sheet, name, {at.x + layout.text * 2, at.y}, layout.text, kText);
}

}  // namespace

cv::Mat draw_overlay(const cv::Mat& overview, const ProbabilityMap& map, const TissueMask& tissue, const cv::Mat& tumour,
                     const OverlayOptions& options) {
  if (overview.empty() || overview.type() != CV_8UC3) throw std::invalid_argument("draw_overlay: the overview is not an RGB picture");
  const bool with_map = !map.probability.empty();
  if (with_map && (options.channel < 0 || options.channel >= static_cast<int>(map.probability.size()))) {
    throw std::invalid_argument("draw_overlay: the map has no channel " + std::to_string(options.channel));
  }
  // A small slide is not blown up beyond what its overview holds.
  const double scale = std::min(2.0, static_cast<double>(options.max_side_px) / std::max(overview.cols, overview.rows));
  const cv::Size size(std::max(1, static_cast<int>(std::lround(overview.cols * scale))),
                      std::max(1, static_cast<int>(std::lround(overview.rows * scale))));
  cv::Mat picture;
  cv::resize(overview, picture, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  const Layout layout(size);
  const int line = std::max(1, layout.text / 12);
  if (with_map) blend_heatmap(picture, map, options);
  draw_outline(picture, tissue.mask, kTissueLine, line, false);
  draw_outline(picture, tumour, kTumourLine, line + 1, true);

  cv::Mat sheet(layout.height(), layout.width(), CV_8UC3, cv::Scalar(255, 255, 255));
  picture.copyTo(sheet(layout.place()));
  cv::rectangle(sheet, layout.place() + cv::Point(-1, -1) + cv::Size(2, 2), {200, 200, 200}, 1);
  draw_text(sheet, options.title, {layout.margin, layout.top / 2}, layout.text * 1.5, kText, Align::left, true);
  if (with_map) draw_colour_bar(sheet, layout, options.value_name);
  const double um_per_px = static_cast<double>(tissue.geometry.extent.width) * tissue.geometry.level0_um_per_px.x / size.width;
  const int baseline = layout.top + std::max(layout.picture.height, layout.text * 14) + layout.text * 7 / 2;
  draw_scale_bar(sheet, {layout.margin, baseline}, um_per_px, std::max(layout.text * 6.0, size.width / 4.0), layout.text);
  const int keys = sheet.cols - layout.margin - layout.text * 7;
  draw_key(sheet, layout, {keys, baseline - layout.text * 7 / 4}, "tissue", kTissueLine);
  if (!tumour.empty()) draw_key(sheet, layout, {keys, baseline}, "tumour", kTumourLine);
  return sheet;
}

void write_overlay(const std::filesystem::path& path, const cv::Mat& overview, const ProbabilityMap& map, const TissueMask& tissue,
                   const cv::Mat& tumour, const OverlayOptions& options) {
  write_png(path, draw_overlay(overview, map, tissue, tumour, options));
}

void write_png(const std::filesystem::path& path, const cv::Mat& rgb) {
  if (rgb.empty() || (rgb.type() != CV_8UC3 && rgb.type() != CV_8U)) throw std::invalid_argument("write_png: not a picture");
  cv::Mat stored = rgb;
  if (rgb.channels() == 3) cv::cvtColor(rgb, stored, cv::COLOR_RGB2BGR);
  const auto bytes = encode_picture(".png", stored);
  write_atomically(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace clmnet::wsi
