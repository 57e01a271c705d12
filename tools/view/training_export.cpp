#include "tools/view/training_export.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::tools::view {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kInside = 0.95;       // share of a tile that must lie in the shape
constexpr double kSmallInside = 0.5;   // where the shape holds no such tile
constexpr std::size_t kMostTilesPerShape = 200;

/// What one tile shows: its corner, the side in level-0 px, and how the shape lies on its pixels.
struct Frame {
  double left = 0, top = 0, side_x = 0, side_y = 0;
  int tile_px = 0;
};

cv::Mat shape_mask(const json& rings, const Frame& frame) {
  cv::Mat mask = cv::Mat::zeros(frame.tile_px, frame.tile_px, CV_8U);
  std::vector<std::vector<cv::Point>> outlines;
  for (const auto& ring : rings) {
    outlines.emplace_back();
    for (const auto& point : ring) {
      const double x = (point[0].get<double>() - frame.left) / frame.side_x * frame.tile_px;
      const double y = (point[1].get<double>() - frame.top) / frame.side_y * frame.tile_px;
      outlines.back().emplace_back(static_cast<int>(std::lround(std::clamp(x, -1e5, 1e5))),
                                   static_cast<int>(std::lround(std::clamp(y, -1e5, 1e5))));
    }
  }
  cv::fillPoly(mask, outlines, 255);  // even-odd: holes stay out
  return mask;
}

double share(const cv::Mat& mask) { return static_cast<double>(cv::countNonZero(mask)) / static_cast<double>(mask.total()); }

std::string png(const cv::Mat& picture) {
  const auto bytes = wsi::encode_picture(".png", picture);
  return {bytes.begin(), bytes.end()};
}

class Exporter {
 public:
  explicit Exporter(fs::path folder) : folder_(std::move(folder)) {
    std::error_code error;
    fs::create_directories(folder_ / "images", error);
    if (!error) fs::create_directories(folder_ / "masks", error);
    if (error) throw InputError(folder_.string() + ": the folder cannot be made (" + error.message() + ")");
  }

  void add_shape(const ViewSlide& slide, const wsi::Slide& scan, const json& geometry, bool tumour) {
    Frame frame = frame_of(slide);
    if (geometry.at("type") == "Point") {
      const auto& point = geometry.at("coordinates");
      frame.left = point[0].get<double>() - frame.side_x / 2;
      frame.top = point[1].get<double>() - frame.side_y / 2;
      write(slide, scan, frame, nullptr, tumour);
      return;
    }
    const auto& rings = geometry.at("coordinates");
    double left = 1e18, top = 1e18, right = -1e18, bottom = -1e18;
    for (const auto& point : rings.at(0)) {
      left = std::min(left, point[0].get<double>());
      right = std::max(right, point[0].get<double>());
      top = std::min(top, point[1].get<double>());
      bottom = std::max(bottom, point[1].get<double>());
    }
    std::size_t taken = 0;
    for (frame.top = top; frame.top + frame.side_y <= bottom && taken < kMostTilesPerShape; frame.top += frame.side_y) {
      for (frame.left = left; frame.left + frame.side_x <= right && taken < kMostTilesPerShape; frame.left += frame.side_x) {
        const cv::Mat mask = shape_mask(rings, frame);
        if (share(mask) < kInside) continue;
        write(slide, scan, frame, &mask, tumour);
        ++taken;
      }
    }
    if (taken > 0) return;
    frame.left = (left + right - frame.side_x) / 2;
    frame.top = (top + bottom - frame.side_y) / 2;
    const cv::Mat mask = shape_mask(rings, frame);
    if (share(mask) >= kSmallInside) {
      write(slide, scan, frame, &mask, tumour);
    } else {
      leave_out();
    }
  }

  void leave_out() { ++left_out_; }

  json finish() const {
    write_atomically(folder_ / "manifest.csv", "image,mask,patient_id,diagnosis,tumour\n" + rows_);
    return {{"folder", folder_.string()}, {"images", tumour_ + not_tumour_}, {"tumour", tumour_}, {"not_tumour", not_tumour_},
            {"left_out", left_out_}};
  }

 private:
  static Frame frame_of(const ViewSlide& slide) {
    Frame frame;
    frame.tile_px = static_cast<int>(slide.number("tile_px", 0));
    const double um_per_px = slide.number("tile_um_per_px", 0);
    if (frame.tile_px < 16 || frame.tile_px > 4096 || !(um_per_px > 0)) {
      throw InputError(slide.id + "/summary.json: tile_px or tile_um_per_px is missing; analyse the slide again");
    }
    frame.side_x = frame.tile_px * um_per_px / slide.um_per_px.x;
    frame.side_y = frame.tile_px * um_per_px / slide.um_per_px.y;
    return frame;
  }

  void write(const ViewSlide& slide, const wsi::Slide& scan, const Frame& frame, const cv::Mat* mask, bool tumour) {
    const auto region = scan.read_scaled({std::llround(frame.left), std::llround(frame.top)}, frame.side_x / frame.tile_px,
                                         frame.side_y / frame.tile_px, {frame.tile_px, frame.tile_px});
    if (!region.complete) {
      leave_out();
      return;
    }
    const std::string name = slide.id + "_" + std::to_string(tumour_ + not_tumour_) + ".png";
    cv::Mat bgr;
    cv::cvtColor(region.rgb, bgr, cv::COLOR_RGB2BGR);
    write_atomically(folder_ / "images" / name, png(bgr));
    if (mask != nullptr) write_atomically(folder_ / "masks" / name, png(tumour ? *mask : cv::Mat(cv::Mat::zeros(mask->size(), CV_8U))));
    rows_ += csv_field("images/" + name) + "," + (mask != nullptr ? csv_field("masks/" + name) : "") + "," + csv_field(slide.id) +
             ",reviewed," + (tumour ? "1" : "0") + "\n";
    ++(tumour ? tumour_ : not_tumour_);
  }

  fs::path folder_;
  std::string rows_;
  int tumour_ = 0, not_tumour_ = 0, left_out_ = 0;
};

json region_geometry(const json& outlines, const std::string& id) {
  for (const auto& feature : outlines.value("features", json::array())) {
    if (feature.value("id", "") == id) return feature.value("geometry", json());
  }
  return nullptr;
}

}  // namespace

json export_training(const ReviewState& state, const ViewRun& run, const fs::path& folder,
                     const std::function<std::shared_ptr<const wsi::Slide>(const ViewSlide&)>& open) {
  Exporter exporter(folder);
  for (const auto& slide : run.slides()) {
    std::vector<std::pair<json, bool>> shapes;
    for (const auto& correction : state.corrections) {
      if (correction.at("slide") == slide.id) shapes.emplace_back(geometry_of(correction), correction.at("label") == "tumour");
    }
    const auto outlines = json::parse(run.outlines(slide), nullptr, false);
    for (const auto& [key, entry] : state.verdicts) {
      const auto verdict = entry.at("verdict").get<std::string>();
      if (key.first != slide.id || key.second.empty() || verdict == "unsure") continue;
      shapes.emplace_back(outlines.is_object() ? region_geometry(outlines, key.second) : json(), verdict == "agree");
    }
    if (shapes.empty()) continue;
    const auto scan = open(slide);
    for (const auto& [geometry, tumour] : shapes) {
      if (scan == nullptr || !geometry.is_object()) {
        exporter.leave_out();
      } else {
        exporter.add_shape(slide, *scan, geometry, tumour);
      }
    }
  }
  return exporter.finish();
}

}  // namespace clmnet::tools::view
