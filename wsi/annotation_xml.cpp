#include "wsi/annotation_xml.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>

#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "wsi/xml_elements.h"

namespace clmnet::wsi {
namespace {

using Attributes = std::map<std::string, std::string>;

constexpr double kFarthestPx = 1e9;
constexpr int kEllipsePoints = 720;

std::string text_of(const Attributes& attributes, const std::string& key) {
  const auto found = attributes.find(key);
  return found == attributes.end() ? std::string() : found->second;
}

PointPx point_of(const Attributes& attributes, const std::string& where) {
  PointPx point;
  for (const auto& [key, into] : {std::pair{"X", &point.x}, std::pair{"Y", &point.y}}) {
    std::string text = text_of(attributes, key);
    std::replace(text.begin(), text.end(), ',', '.');  // as some locales write it
    const auto number = parse_number(text);
    if (!number || std::abs(*number) > kFarthestPx) {
      throw InputError(where + ": " + key + " is '" + text + "', expected a number of px up to 1e9");
    }
    *into = *number;
  }
  return point;
}

/// The four corners of the box around the points.
RingPx box_of(const RingPx& points) {
  const auto [left, right] = std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.x < b.x; });
  const auto [top, bottom] = std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.y < b.y; });
  return {{left->x, top->y}, {right->x, top->y}, {right->x, bottom->y}, {left->x, bottom->y}};
}

bool boxes_meet(const RingPx& a, const RingPx& b) {
  const RingPx one = box_of(a), other = box_of(b);
  return one[0].x < other[2].x && other[0].x < one[2].x && one[0].y < other[2].y && other[0].y < one[2].y;
}

RingPx ellipse_in(const RingPx& box) {
  const PointPx centre{(box[0].x + box[2].x) / 2, (box[0].y + box[2].y) / 2};
  const double a = (box[2].x - box[0].x) / 2, b = (box[2].y - box[0].y) / 2;
  RingPx ring;
  for (int i = 0; i < kEllipsePoints; ++i) {
    const double angle = 2 * 3.14159265358979323846 * i / kEllipsePoints;
    ring.push_back({centre.x + a * std::cos(angle), centre.y + b * std::sin(angle)});
  }
  return ring;
}

void open_ring(RingPx& ring) {
  if (ring.size() > 1 && ring.front() == ring.back()) ring.pop_back();
}

/// <Annotations><Annotation Name><Attributes/><Regions><Region Type NegativeROA Text><Vertices><Vertex X Y/>
class ImageScopeReader {
 public:
  explicit ImageScopeReader(std::string name) : name_(std::move(name)) { file_.format = AnnotationFormat::image_scope; }

  void begin(const std::string& element, const Attributes& attributes) {
    if (element == "Annotation") {
      layer_ = attributes;
      description_.clear();
      regions_.clear();
    } else if (element == "Attribute" && text_of(attributes, "Name") == "Description") {
      if (!region_) description_ = text_of(attributes, "Value");
    } else if (element == "Region") {
      region_ = attributes;
      points_.clear();
    } else if (region_ && (element == "Vertex" || element == "V")) {
      points_.push_back(point_of(attributes, name_ + ": layer " + text_of(layer_, "Id") + ", region " + text_of(*region_, "Id")));
    }
  }

  void end(const std::string& element) {
    if (element == "Region" && region_) finish_region();
    if (element == "Annotation") finish_layer();
  }

  AnnotationFile take() { return std::move(file_); }

 private:
  struct Drawn {
    std::string text;
    RingPx ring;
    bool negative = false;
  };

  void finish_region() {
    const std::string type = text_of(*region_, "Type");
    // 0 drawn by hand, 1 rectangle, 2 ellipse by its box; the rest are arrows, rulers and counters.
    const bool has_area = type.empty() || type == "0" || type == "1" || type == "2";
    open_ring(points_);
    if (has_area && points_.size() >= 2 && (type == "1" || type == "2")) {
      if (points_.size() < 4 || type == "2") points_ = box_of(points_);
      if (type == "2") points_ = ellipse_in(points_);
    }
    if (has_area && points_.size() >= 3) {
      regions_.push_back({text_of(*region_, "Text"), std::move(points_), text_of(*region_, "NegativeROA") == "1"});
    } else {
      ++file_.without_area;
    }
    points_.clear();
    region_.reset();
  }

  std::string class_of(const Drawn& drawn) const {
    for (const auto& candidate : {text_of(layer_, "Name"), drawn.text, description_}) {
      if (!candidate.empty()) return candidate;
    }
    return "layer " + text_of(layer_, "Id");
  }

  void finish_layer() {
    std::vector<RingPx> holes;
    for (const auto& drawn : regions_) {
      if (drawn.negative) holes.push_back(drawn.ring);
    }
    for (auto& drawn : regions_) {
      if (drawn.negative) continue;
      AnnotatedRegion region{class_of(drawn), std::move(drawn.ring), {}};
      std::copy_if(holes.begin(), holes.end(), std::back_inserter(region.holes),
                   [&](const RingPx& hole) { return boxes_meet(hole, region.outer); });
      file_.regions.push_back(std::move(region));
    }
    regions_.clear();
  }

  std::string name_;
  AnnotationFile file_;
  Attributes layer_;
  std::string description_;
  std::optional<Attributes> region_;
  RingPx points_;
  std::vector<Drawn> regions_;
};

/// <ASAP_Annotations><Annotations><Annotation Type PartOfGroup><Coordinates><Coordinate Order X Y/>
class AsapReader {
 public:
  explicit AsapReader(std::string name) : name_(std::move(name)) { file_.format = AnnotationFormat::asap; }

  void begin(const std::string& element, const Attributes& attributes) {
    if (element == "Annotation") {
      annotation_ = attributes;
      points_.clear();
    } else if (element == "Coordinate" && annotation_) {
      const std::string where = name_ + ": annotation '" + text_of(*annotation_, "Name") + "'";
      const auto order = parse_number(text_of(attributes, "Order"));
      points_.emplace_back(order.value_or(static_cast<double>(points_.size())), point_of(attributes, where));
    }
  }

  void end(const std::string& element) {
    if (element != "Annotation" || !annotation_) return;
    std::stable_sort(points_.begin(), points_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    RingPx ring;
    for (const auto& [order, point] : points_) ring.push_back(point);
    open_ring(ring);
    const std::string type = text_of(*annotation_, "Type");
    if (type == "Rectangle" && ring.size() >= 2 && ring.size() < 4) ring = box_of(ring);
    const bool has_area = type == "Polygon" || type == "Spline" || type == "Rectangle";
    if (has_area && ring.size() >= 3) {
      const std::string group = text_of(*annotation_, "PartOfGroup");
      file_.regions.push_back({group == "None" ? std::string() : group, std::move(ring), {}});
    } else {
      ++file_.without_area;
    }
    annotation_.reset();
  }

  AnnotationFile take() { return std::move(file_); }

 private:
  std::string name_;
  AnnotationFile file_;
  std::optional<Attributes> annotation_;
  std::vector<std::pair<double, PointPx>> points_;
};

template <typename Reader>
AnnotationFile read_with(std::string_view text, const std::string& name) {
  Reader reader(name);
  read_xml(text, name, {[&](const auto& element, const auto& attributes) { reader.begin(element, attributes); },
                        [&](const auto& element) { reader.end(element); }});
  return reader.take();
}

}  // namespace

AnnotationFile parse_annotation_xml(std::string_view text, const std::string& name) {
  std::string outermost;
  read_xml(text, name, {[&](const std::string& element, const Attributes&) {
                          if (outermost.empty()) outermost = element;
                        },
                        nullptr});
  if (outermost == "ASAP_Annotations") return read_with<AsapReader>(text, name);
  if (outermost == "Annotations") return read_with<ImageScopeReader>(text, name);
  throw InputError(name + ": its outermost element is <" + outermost +
                   ">; expected <Annotations> of ImageScope or <ASAP_Annotations> of ASAP");
}

}  // namespace clmnet::wsi
