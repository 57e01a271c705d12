#include "tools/view/tissue_layers.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include <opencv2/core.hpp>

#include "wsi/geojson.h"
#include "wsi/quality.h"
#include "wsi/slide.h"

namespace clmnet::tools::view {
namespace {

/// Both masks, made once, by whoever asks first.
class Found {
 public:
  Found(std::filesystem::path scan, const wsi::MapGeometry& geometry, const wsi::TissueOptions& options, bool icc)
      : scan_(std::move(scan)), geometry_(geometry), options_(options), icc_(icc) {}

  const GreyLayer& layer(bool quality) {
    std::call_once(once_, [&] { find(); });
    return quality ? *quality_ : *tissue_;
  }
  bool ready() const { return ready_; }
  const wsi::MapGeometry& geometry() const { return geometry_; }

 private:
  void find() {
    const wsi::Slide slide(scan_, {.um_per_px = geometry_.level0_um_per_px, .icc = icc_});
    const cv::Mat overview = wsi::read_overview(slide, geometry_);
    const auto tissue = wsi::find_tissue(overview, geometry_, options_);
    const cv::Mat folds = wsi::find_folds(overview, tissue);
    const auto regions = wsi::trace_regions(tissue.mask, geometry_);
    const auto quality = wsi::assess_regions(slide, tissue, regions, folds, {});
    cv::Mat codes(tissue.mask.size(), CV_8U, cv::Scalar(1));
    codes.setTo(255, tissue.mask);
    tissue_ = layer(codes);
    std::vector<std::uint8_t> code_of_label(1, 0);
    for (std::size_t i = 0; i < quality.size(); ++i) {
      const auto label = static_cast<std::size_t>(regions.regions[i].label);
      if (code_of_label.size() <= label) code_of_label.resize(label + 1, 0);
      if (std::isfinite(quality[i].focus)) code_of_label[label] = code_of_probability(quality[i].focus);
    }
    cv::Mat sharpness(regions.labels.size(), CV_8U);
    for (int y = 0; y < sharpness.rows; ++y) {
      for (int x = 0; x < sharpness.cols; ++x) {
        const auto label = static_cast<std::size_t>(std::max(regions.labels.at<int>(y, x), 0));
        sharpness.at<std::uint8_t>(y, x) = label < code_of_label.size() ? code_of_label[label] : std::uint8_t{0};
      }
    }
    sharpness.setTo(1, folds);
    sharpness.setTo(1, tissue.ink);
    quality_ = layer(sharpness);
    ready_ = true;
  }

  static std::unique_ptr<GreyLayer> layer(const cv::Mat& codes) {
    return layer_of_codes({codes.cols, codes.rows}, {codes.begin<std::uint8_t>(), codes.end<std::uint8_t>()});
  }

  std::filesystem::path scan_;
  wsi::MapGeometry geometry_;
  wsi::TissueOptions options_;
  bool icc_;
  std::once_flag once_;
  std::atomic<bool> ready_{false};
  std::unique_ptr<GreyLayer> tissue_, quality_;
};

class FoundLayer : public GreyLayer {
 public:
  FoundLayer(std::shared_ptr<Found> found, bool quality) : found_(std::move(found)), quality_(quality) {
    const auto& geometry = found_->geometry();
    levels = halving_levels(geometry.size, tile_px);
    downsample_x = geometry.downsample_x;
    downsample_y = geometry.downsample_y;
    id = quality ? "quality" : "tissue";
    title = quality ? "Quality: focus of each piece; folds, pen 0" : "Tissue";
    unit = quality ? "focus" : "tissue";
    threshold = quality ? wsi::QualityOptions().blurred_below : 0.5;
  }

  bool ready() const override { return found_->ready(); }
  std::vector<std::uint8_t> tile(std::size_t level, std::int64_t column, std::int64_t row) const override {
    return has_tile(level, column, row) ? found_->layer(quality_).tile(level, column, row) : std::vector<std::uint8_t>();
  }

 private:
  std::shared_ptr<Found> found_;
  bool quality_;
};

}  // namespace

std::vector<std::unique_ptr<GreyLayer>> tissue_layers(const std::filesystem::path& scan, wsi::SizePx extent, wsi::UmPerPx um_per_px,
                                                      const wsi::TissueOptions& options, bool icc) {
  const auto geometry = wsi::fit_map(extent, um_per_px, std::max({options.um_per_px, um_per_px.x, um_per_px.y}));
  const auto found = std::make_shared<Found>(scan, geometry, options, icc);
  std::vector<std::unique_ptr<GreyLayer>> layers;
  for (const bool quality : {false, true}) layers.push_back(std::make_unique<FoundLayer>(found, quality));
  return layers;
}

}  // namespace clmnet::tools::view
