#include "wsi/annotation_files.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/annotation_xml.h"

namespace clmnet::wsi {
namespace {

using nlohmann::json;

constexpr double kFarthestPx = 1e9;

/// QuPath's GeoJSON, one feature after the other.
class GeoJsonReader {
 public:
  explicit GeoJsonReader(const std::string& name) : name_(name) {}

  AnnotationFile read(const json& document) {
    if (document.is_array()) {
      for (const auto& feature : document) add_feature(feature);
    } else if (type_of(document) == "FeatureCollection") {
      const auto features = document.find("features");
      if (features == document.end() || !features->is_array()) fail("no list of 'features'");
      for (const auto& feature : *features) add_feature(feature);
    } else {
      add_feature(document);
    }
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(name_ + ": feature " + std::to_string(count_) + ": " + what + "; expected GeoJSON as QuPath exports it");
  }

  static std::string type_of(const json& value) {
    if (!value.is_object()) return {};
    const auto type = value.find("type");
    return type != value.end() && type->is_string() ? type->get<std::string>() : std::string();
  }

  void add_feature(const json& feature) {
    ++count_;
    if (type_of(feature) != "Feature") fail("type is '" + type_of(feature) + "', not 'Feature'");
    const json none = json::object();
    const auto found = feature.find("properties");
    const json& properties = found != feature.end() && found->is_object() ? *found : none;
    if (!is_annotation(properties)) {
      ++file_.not_annotations;
      return;
    }
    const auto geometry = feature.find("geometry");
    if (geometry == feature.end() || !geometry->is_object()) fail("no geometry");
    add_geometry(*geometry, class_of(properties), 0);
  }

  static bool is_annotation(const json& properties) {
    for (const char* key : {"objectType", "object_type"}) {
      const auto type = properties.find(key);
      if (type == properties.end() || !type->is_string()) continue;
      const auto text = type->get<std::string>();
      return text == "annotation" || text == "PathAnnotationObject" || text == "root" || text == "unknown";
    }
    return true;
  }

  /// "Tumor", or "Tumor: Positive" of a list of names.
  static std::string class_of(const json& properties) {
    const auto classification = properties.find("classification");
    if (classification == properties.end()) return {};
    if (classification->is_string()) return classification->get<std::string>();
    if (!classification->is_object()) return {};
    const auto name = classification->find("name");
    if (name != classification->end() && name->is_string()) return name->get<std::string>();
    const auto names = classification->find("names");
    std::string joined;
    if (names == classification->end() || !names->is_array()) return joined;
    for (const auto& part : *names) {
      if (part.is_string()) joined.append(joined.empty() ? "" : ": ").append(part.get<std::string>());
    }
    return joined;
  }

  void add_geometry(const json& geometry, const std::string& class_name, int depth) {
    const std::string type = type_of(geometry);
    const char* key = type == "GeometryCollection" ? "geometries" : "coordinates";
    const auto parts = geometry.find(key);
    if (parts == geometry.end() || !parts->is_array()) fail(type + " without " + key);
    if (type == "Polygon") {
      add_polygon(*parts, class_name);
    } else if (type == "MultiPolygon") {
      for (const auto& polygon : *parts) add_polygon(polygon, class_name);
    } else if (type == "GeometryCollection" && depth < 4) {
      for (const auto& part : *parts) add_geometry(part, class_name, depth + 1);
    } else if (type == "Point" || type == "MultiPoint" || type == "LineString" || type == "MultiLineString") {
      ++file_.without_area;
    } else {
      fail("geometry '" + type + "' is not known");
    }
  }

  void add_polygon(const json& rings, const std::string& class_name) {
    if (!rings.is_array()) fail("a polygon is not a list of rings");
    AnnotatedRegion region{class_name, {}, {}};
    for (std::size_t i = 0; i < rings.size(); ++i) {
      RingPx ring = read_ring(rings[i]);
      if (i == 0) {
        region.outer = std::move(ring);
      } else if (ring.size() >= 3) {
        region.holes.push_back(std::move(ring));
      }
    }
    if (region.outer.size() < 3) {
      ++file_.without_area;
    } else {
      file_.regions.push_back(std::move(region));
    }
  }

  RingPx read_ring(const json& points) const {
    if (!points.is_array()) fail("a ring is not a list of points");
    RingPx ring;
    for (const auto& point : points) {
      if (!point.is_array() || point.size() < 2 || !point[0].is_number() || !point[1].is_number()) {
        fail("a point is " + point.dump().substr(0, 40) + ", not [x, y]");
      }
      const PointPx at{point[0].get<double>(), point[1].get<double>()};
      if (!(std::abs(at.x) <= kFarthestPx) || !(std::abs(at.y) <= kFarthestPx)) fail("a point lies beyond 1e9 px");
      ring.push_back(at);
    }
    if (ring.size() > 1 && ring.front() == ring.back()) ring.pop_back();
    return ring;
  }

  std::string name_;
  AnnotationFile file_;
  int count_ = 0;
};

}  // namespace

AnnotationFile parse_annotations(std::string_view text, const std::string& name) {
  auto first = text.find_first_not_of(" \t\r\n");
  if (text.starts_with("\xEF\xBB\xBF")) first = text.find_first_not_of(" \t\r\n", 3);
  if (first == std::string_view::npos) throw InputError(name + ": is empty; expected annotations of QuPath, ImageScope or ASAP");
  if (text[first] == '<') return parse_annotation_xml(text, name);
  if (text[first] != '{' && text[first] != '[') {
    throw InputError(name + ": is neither GeoJSON nor XML; expected annotations of QuPath, ImageScope or ASAP");
  }
  json document;
  try {
    document = json::parse(text.substr(first));
  } catch (const json::exception& error) {
    throw InputError(name + ": is not JSON (" + error.what() + "); export it from QuPath again");
  }
  return GeoJsonReader(name).read(document);
}

AnnotationFile read_annotations(const std::filesystem::path& path) {
  return parse_annotations(read_whole_file(path), path.filename().string());
}

double ring_area(const RingPx& ring) {
  double doubled = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const PointPx& a = ring[i];
    const PointPx& b = ring[(i + 1) % ring.size()];
    doubled += a.x * b.y - b.x * a.y;
  }
  return std::abs(doubled) / 2;
}

}  // namespace clmnet::wsi
