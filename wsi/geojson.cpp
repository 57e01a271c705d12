#include "wsi/geojson.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_map>

#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/atomic_file.h"
#include "wsi/trace.h"

namespace clmnet::wsi {
namespace {

using Json = nlohmann::ordered_json;

Json ring_json(const Ring& ring) {
  Json points = Json::array();
  for (const auto& point : ring) points.push_back(Json::array({point.x, point.y}));
  if (!ring.empty()) points.push_back(points.front());
  return points;
}

/// A UUID made of the first 128 bits of a digest; version 8 is RFC 9562's for values made by rules of one's own.
std::string uuid_of(const std::string& text) {
  std::string hex = sha256_of(text).substr(0, 32);
  hex[12] = '8';
  hex[16] = "89ab"[(hex[16] >= 'a' ? hex[16] - 'a' + 10 : hex[16] - '0') & 3];
  for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, 1, '-');
  return hex;
}

Json feature_json(const Annotation& annotation) {
  Json rings = Json::array({ring_json(annotation.polygon.outer)});
  for (const auto& hole : annotation.polygon.holes) rings.push_back(ring_json(hole));
  Json measurements = Json::object();
  for (const auto& [name, value] : annotation.measurements) measurements[name] = value;
  Json feature;
  feature["type"] = "Feature";
  feature["id"] = uuid_of(annotation.class_name + rings.dump());
  feature["geometry"] = {{"type", "Polygon"}, {"coordinates", std::move(rings)}};
  feature["properties"] = {{"objectType", "annotation"},
                           {"classification", {{"name", annotation.class_name}, {"color", annotation.colour}}},
                           {"isLocked", false},
                           {"measurements", std::move(measurements)}};
  return feature;
}

}  // namespace

RegionPolygons trace_regions(const cv::Mat& mask, const MapGeometry& geometry, double min_area_mm2, double min_hole_mm2) {
  if (mask.type() != CV_8U || mask.cols != geometry.size.width || mask.rows != geometry.size.height) {
    throw std::invalid_argument("trace_regions: the mask is not CV_8U of the geometry's size");
  }
  if (geometry.downsample_x < 1 || geometry.downsample_y < 1) throw std::invalid_argument("trace_regions: the map is finer than the scan");
  cv::Mat filled = mask != 0;
  fill_small_holes(filled, min_hole_mm2 / geometry.pixel_area_mm2());
  RegionPolygons result;
  cv::Mat stats, centroids;
  const int n = cv::connectedComponentsWithStats(filled, result.labels, stats, centroids, 4, CV_32S);
  std::vector<int> renamed(static_cast<std::size_t>(n), 0);
  std::vector<int> order;
  for (int i = 1; i < n; ++i) {
    if (stats.at<int>(i, cv::CC_STAT_AREA) * geometry.pixel_area_mm2() >= min_area_mm2) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return stats.at<int>(a, cv::CC_STAT_AREA) > stats.at<int>(b, cv::CC_STAT_AREA); });
  const auto place = [&](const PixelRing& ring) {
    Ring level0;
    for (const auto& corner : ring) {
      level0.push_back({std::llround(corner.x * geometry.downsample_x), std::llround(corner.y * geometry.downsample_y)});
    }
    return level0;
  };
  for (const int label : order) {
    const cv::Rect box(stats.at<int>(label, cv::CC_STAT_LEFT), stats.at<int>(label, cv::CC_STAT_TOP),
                       stats.at<int>(label, cv::CC_STAT_WIDTH), stats.at<int>(label, cv::CC_STAT_HEIGHT));
    RegionPolygon region;
    region.area_px = stats.at<int>(label, cv::CC_STAT_AREA);
    region.label = static_cast<int>(result.regions.size()) + 1;
    renamed[static_cast<std::size_t>(label)] = region.label;
    for (const auto& ring : trace_rings(result.labels, label, box)) {
      if (doubled_area(ring) > 0) {
        region.outer = place(ring);
      } else {
        region.holes.push_back(place(ring));
      }
    }
    result.regions.push_back(std::move(region));
  }
  result.labels.forEach<int>([&](int& label, const int*) { label = renamed[static_cast<std::size_t>(label)]; });
  return result;
}

std::string geojson_text(const std::vector<Annotation>& annotations) {
  Json features = Json::array();
  for (const auto& annotation : annotations) features.push_back(feature_json(annotation));
  Json collection;
  collection["type"] = "FeatureCollection";
  collection["features"] = std::move(features);
  return collection.dump() + "\n";
}

void write_geojson(const std::filesystem::path& path, const std::vector<Annotation>& annotations) {
  write_atomically(path, geojson_text(annotations));
}

TumourRegions find_tumour(const ProbabilityMap& map, const TumourOptions& options) {
  if (options.channel < 0 || options.channel >= static_cast<int>(map.probability.size())) {
    throw std::invalid_argument("find_tumour: the map has no channel " + std::to_string(options.channel));
  }
  const cv::Mat& probability = map.probability[static_cast<std::size_t>(options.channel)];
  cv::Mat mask = (probability >= options.threshold) & map.valid;
  fill_small_holes(mask, options.min_hole_mm2 / map.geometry.pixel_area_mm2());
  mask &= map.valid;
  RegionPolygons traced = trace_regions(mask, map.geometry, options.min_area_mm2);
  TumourRegions tumour;
  tumour.mask = traced.labels > 0;
  tumour.area_mm2 = cv::countNonZero(tumour.mask) * map.geometry.pixel_area_mm2();
  std::vector<double> sum(traced.regions.size() + 1, 0), highest(traced.regions.size() + 1, 0);
  for (int y = 0; y < mask.rows; ++y) {
    const int* labels = traced.labels.ptr<int>(y);
    const auto* values = probability.ptr<float>(y);
    for (int x = 0; x < mask.cols; ++x) {
      if (labels[x] == 0) continue;
      const auto label = static_cast<std::size_t>(labels[x]);
      const double value = values[x];
      sum[label] += value;
      highest[label] = std::max(highest[label], value);
    }
  }
  for (std::size_t i = 0; i < traced.regions.size(); ++i) {
    Annotation annotation;
    annotation.class_name = options.class_name;
    annotation.measurements = {{"area_mm2", traced.regions[i].area_px * map.geometry.pixel_area_mm2()},
                               {"mean_probability", sum[i + 1] / traced.regions[i].area_px},
                               {"max_probability", highest[i + 1]}};
    annotation.polygon = std::move(traced.regions[i]);
    tumour.annotations.push_back(std::move(annotation));
  }
  return tumour;
}

}  // namespace clmnet::wsi
