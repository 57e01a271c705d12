#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace clmnet::wsi {

/// A point in level-0 px with fractions; (0, 0) is the top-left corner of the top-left pixel.
struct PointPx {
  double x = 0;
  double y = 0;
  friend bool operator==(const PointPx&, const PointPx&) = default;
};

using RingPx = std::vector<PointPx>;  ///< closed, the first point not repeated at the end

/// One area that somebody drew and named.
struct AnnotatedRegion {
  std::string class_name;            ///< as the file says; empty where it gives none
  RingPx outer;
  std::vector<RingPx> holes;
};

enum class AnnotationFormat { qupath, image_scope, asap };

/// What an annotation file holds, in its own frame.
struct AnnotationFile {
  AnnotationFormat format = AnnotationFormat::qupath;
  std::vector<AnnotatedRegion> regions;
  int without_area = 0;              ///< points, lines, rulers, rings of fewer than three points: passed over
  int not_annotations = 0;           ///< QuPath's cells, detections and tiles: passed over
};

/// Reads QuPath's GeoJSON (feature collection, list or single feature; Polygon and MultiPolygon with holes), ImageScope's XML
/// (polygons, rectangles, ellipses; NegativeROA is a hole in the regions of its layer) or ASAP's XML (polygons, splines through
/// their points, rectangles). The format is known by the content, not by the name.
/// Class: QuPath's classification; ImageScope's layer name, else the region's text, else the layer's description, else
/// "layer <Id>"; ASAP's group.
/// Throws InputError: a missing file, neither GeoJSON nor one of the two XMLs, a coordinate that is no finite number or beyond
/// 1e9 px, a damaged structure; the message names file and place.
AnnotationFile read_annotations(const std::filesystem::path& path);

/// As read_annotations, from text; `name` stands for the file in messages.
AnnotationFile parse_annotations(std::string_view text, const std::string& name);

/// Area of a ring in px², positive whatever its direction (shoelace formula).
double ring_area(const RingPx& ring);

}  // namespace clmnet::wsi
