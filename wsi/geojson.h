#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/map_geometry.h"
#include "wsi/stitcher.h"

namespace clmnet::wsi {

/// A closed ring in level-0 px, the first point not repeated at the end.
using Ring = std::vector<Level0Px>;

/// One connected region: an outer ring, anticlockwise as RFC 7946 wants it (with y downwards, as seen: clockwise is negative),
/// then its holes. Rings do not cross and do not touch each other along an edge.
struct RegionPolygon {
  Ring outer;
  std::vector<Ring> holes;
  double area_px = 0;            ///< mask pixels
  int label = 0;                 ///< of its pixels in RegionPolygons::labels
};

struct RegionPolygons {
  std::vector<RegionPolygon> regions;  ///< largest first
  cv::Mat labels;                      ///< CV_32S, 0 outside every region that was kept
};

/// Traces the outlines of the pixels of a mask along the pixels' edges, so that a polygon's area is that of its pixels, and
/// puts them into level-0 px (rounded to the nearest). Pixels that touch at a corner only are two regions (4-connected).
/// Regions of less than min_area_mm2 are dropped, holes of less than min_hole_mm2 filled.
/// Throws std::invalid_argument unless mask is CV_8U of geometry.size.
RegionPolygons trace_regions(const cv::Mat& mask, const MapGeometry& geometry, double min_area_mm2 = 0, double min_hole_mm2 = 0);

/// One polygon as QuPath imports it.
struct Annotation {
  RegionPolygon polygon;
  std::string class_name;
  std::array<int, 3> colour{200, 0, 0};                          ///< RGB
  std::vector<std::pair<std::string, double>> measurements;      ///< names carry their unit
};

/// A FeatureCollection of annotations: geometry "Polygon", properties.objectType "annotation", classification {name, color},
/// measurements, and an id (UUID) made of class and geometry, so that the same result has the same ids.
std::string geojson_text(const std::vector<Annotation>& annotations);
/// As text, written whole or not at all. Throws InputError when it cannot be written.
void write_geojson(const std::filesystem::path& path, const std::vector<Annotation>& annotations);

struct TumourOptions {
  int channel = 0;
  double threshold = 0.5;          ///< tumour is probability >= threshold
  double min_area_mm2 = 0.01;
  double min_hole_mm2 = 0.0025;
  std::string class_name = "Tumor";  ///< QuPath's own name for the class
};

struct TumourRegions {
  std::vector<Annotation> annotations;   ///< measurements: area_mm2, mean and max probability
  cv::Mat mask;                          ///< CV_8U of the map: what the polygons cover
  double area_mm2 = 0;
};

/// Regions of a probability map at or over a threshold; pixels without data are never tumour, also not inside a filled hole.
TumourRegions find_tumour(const ProbabilityMap& map, const TumourOptions& options = {});

}  // namespace clmnet::wsi
