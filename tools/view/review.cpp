#include "tools/view/review.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

#include "tools/base/error.h"
#include "tools/view/concordance.h"
#include "tools/view/training_export.h"

namespace clmnet::tools::view {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestText = 4000;
constexpr std::size_t kMostPoints = 20000;
constexpr double kLargestRadiusPx = 1e5;
constexpr double kBrushPx = 8;  // a brush's radius in px of the mask that its outline is taken from

std::string text_field(const json& entry, const char* field, std::size_t longest, bool may_be_empty) {
  if (!entry.contains(field) || !entry.at(field).is_string()) throw InputError(std::string(field) + ": expected a text");
  const auto text = entry.at(field).get<std::string>();
  if (text.size() > longest || (text.empty() && !may_be_empty)) {
    throw InputError(std::string(field) + ": expected " + (may_be_empty ? "0" : "1") + " to " + std::to_string(longest) + " bytes");
  }
  return text;
}

std::string one_of(const json& entry, const char* field, const std::set<std::string>& allowed) {
  const auto text = text_field(entry, field, 40, false);
  if (allowed.count(text) > 0) return text;
  std::string list;
  for (const auto& name : allowed) list += (list.empty() ? "" : ", ") + name;
  throw InputError(std::string(field) + ": '" + text + "' is not one of " + list);
}

json checked_points(const json& entry, const std::string& shape, wsi::SizePx extent) {
  if (!entry.contains("points") || !entry.at("points").is_array()) throw InputError("points: expected a list of [x, y]");
  const auto& points = entry.at("points");
  const std::size_t least = shape == "polygon" ? 3 : 1;
  if (points.size() < least || points.size() > (shape == "point" ? 1 : kMostPoints)) {
    throw InputError("points: " + std::to_string(points.size()) + " do not make a " + shape);
  }
  json checked = json::array();
  for (const auto& point : points) {
    if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) {
      throw InputError("points: expected [x, y] in level-0 px");
    }
    const double x = point[0].get<double>(), y = point[1].get<double>();
    if (!(x >= 0 && y >= 0 && x <= static_cast<double>(extent.width) && y <= static_cast<double>(extent.height))) {
      throw InputError("points: a point lies outside the scan");
    }
    checked.push_back({std::round(x * 10) / 10, std::round(y * 10) / 10});
  }
  return checked;
}

json closed_ring(const json& points) {
  json ring = points;
  if (ring.front() != ring.back()) ring.push_back(ring.front());
  return ring;
}

/// The outline of a brush stroke: discs of the radius along the points, drawn on a mask of kBrushPx px per radius.
json brush_geometry(const json& points, double radius) {
  const double scale = kBrushPx / radius;
  double left = 1e18, top = 1e18, right = -1e18, bottom = -1e18;
  for (const auto& point : points) {
    left = std::min(left, point[0].get<double>());
    right = std::max(right, point[0].get<double>());
    top = std::min(top, point[1].get<double>());
    bottom = std::max(bottom, point[1].get<double>());
  }
  const int margin = static_cast<int>(kBrushPx) + 3;
  const double width = (right - left) * scale + 2 * margin, height = (bottom - top) * scale + 2 * margin;
  if (!(width * height < 64e6)) return nullptr;
  cv::Mat mask = cv::Mat::zeros(static_cast<int>(height) + 1, static_cast<int>(width) + 1, CV_8U);
  std::vector<cv::Point> path;
  for (const auto& point : points) {
    path.emplace_back(static_cast<int>(std::lround((point[0].get<double>() - left) * scale)) + margin,
                      static_cast<int>(std::lround((point[1].get<double>() - top) * scale)) + margin);
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    cv::circle(mask, path[i], static_cast<int>(kBrushPx), 255, cv::FILLED);
    if (i > 0) cv::line(mask, path[i - 1], path[i], 255, static_cast<int>(2 * kBrushPx) + 1);
  }
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(mask, outlines, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_SIMPLE);
  if (outlines.empty()) return nullptr;
  json ring = json::array();
  for (const auto& point : outlines.front()) ring.push_back({(point.x - margin) / scale + left, (point.y - margin) / scale + top});
  return {{"type", "Polygon"}, {"coordinates", json::array({closed_ring(ring)})}};
}

json classification(const std::string& label) {
  if (label == "tumour") return {{"name", "Tumor"}, {"color", {200, 0, 0}}};
  return {{"name", "Non-tumor"}, {"color", {0, 130, 60}}};
}

/// What another entry, made meanwhile, keeps out.
struct Conflict : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool can_be_undone(const std::vector<json>& before, const json& undo) {
  const auto same = [&](const json& one) {
    return one.at("seq") == undo.at("target") && text_of(one, "kind") != "undo" && text_of(one, "slide") == undo.at("slide");
  };
  const auto undone = [&](const json& one) { return text_of(one, "kind") == "undo" && one.value("target", json()) == undo.at("target"); };
  return std::any_of(before.begin(), before.end(), same) && std::none_of(before.begin(), before.end(), undone);
}

bool are_points(const json& points) {
  return points.is_array() && !points.empty() && std::all_of(points.begin(), points.end(), [](const json& point) {
    return point.is_array() && point.size() == 2 && point[0].is_number() && point[1].is_number();
  });
}

bool is_sound(const json& entry) {
  const auto kind = text_of(entry, "kind");
  if (text_of(entry, "slide").empty() || text_of(entry, "time").empty()) return false;
  if (kind == "verdict") {
    const auto verdict = text_of(entry, "verdict");
    return entry.contains("region") && entry.at("region").is_string() && (verdict == "agree" || verdict == "disagree" || verdict == "unsure");
  }
  if (kind == "comment") return !text_of(entry, "text").empty();
  if (kind != "correction" || !are_points(entry.value("points", json())) || text_of(entry, "label").empty()) return false;
  const auto shape = text_of(entry, "shape");
  const auto radius = entry.value("radius_px", json());
  return shape == "point" || (shape == "polygon" && entry.at("points").size() >= 3) ||
         (shape == "brush" && radius.is_number() && radius.get<double>() >= 1 && radius.get<double>() <= kLargestRadiusPx);
}

}  // namespace

json geometry_of(const json& correction) {
  const auto shape = correction.at("shape").get<std::string>();
  const auto& points = correction.at("points");
  if (shape == "point") return {{"type", "Point"}, {"coordinates", points.front()}};
  if (shape == "brush") return brush_geometry(points, correction.at("radius_px").get<double>());
  return {{"type", "Polygon"}, {"coordinates", json::array({closed_ring(points)})}};
}

ReviewState fold_review(const std::vector<json>& entries) {
  std::set<std::int64_t> undone;
  for (const auto& entry : entries) {
    const auto target = entry.value("target", json());
    if (text_of(entry, "kind") == "undo" && target.is_number_integer()) undone.insert(target.get<std::int64_t>());
  }
  ReviewState state;
  for (const auto& entry : entries) {
    if (undone.count(entry.at("seq").get<std::int64_t>()) > 0 || !is_sound(entry)) continue;
    const auto kind = text_of(entry, "kind");
    if (kind == "verdict") state.verdicts[{text_of(entry, "slide"), text_of(entry, "region")}] = entry;
    if (kind == "correction") state.corrections.push_back(entry);
    if (kind == "comment") state.comments.push_back(entry);
  }
  return state;
}

json checked_entry(const json& entry, const ViewRun& run) {
  if (!entry.is_object()) throw InputError("expected a JSON object");
  const auto kind = one_of(entry, "kind", {"verdict", "correction", "comment", "undo"});
  const ViewSlide* slide = run.find(text_field(entry, "slide", 1000, false));
  if (slide == nullptr) throw InputError("slide: the run has no such slide");
  json checked = {{"kind", kind}, {"slide", slide->id}};
  if (kind == "undo") {
    if (!entry.contains("target") || !entry.at("target").is_number_integer()) throw InputError("target: expected the seq of an entry");
    checked["target"] = entry.at("target");
    return checked;
  }
  checked["model_sha256"] = slide->text("model_sha256");
  checked["map_threshold"] = slide->number("map_threshold", 0);
  if (kind != "correction") checked["region"] = text_field(entry, "region", 100, true);
  if (kind == "verdict") checked["verdict"] = one_of(entry, "verdict", {"agree", "disagree", "unsure"});
  if (kind == "comment") checked["text"] = text_field(entry, "text", kLongestText, false);
  if (kind == "correction") {
    checked["label"] = one_of(entry, "label", {"tumour", "not tumour"});
    checked["shape"] = one_of(entry, "shape", {"polygon", "brush", "point"});
    checked["points"] = checked_points(entry, checked["shape"].get<std::string>(), slide->extent);
    if (checked["shape"] == "brush") {
      const double radius = entry.contains("radius_px") && entry.at("radius_px").is_number() ? entry.at("radius_px").get<double>() : 0;
      if (!(radius >= 1 && radius <= kLargestRadiusPx)) throw InputError("radius_px: expected 1 to 100000 level-0 px");
      checked["radius_px"] = radius;
    }
  }
  return checked;
}

json review_geojson(const ReviewState& state, const ViewSlide& slide, const json& outlines, const std::string& reader) {
  json features = json::array();
  for (const auto& correction : state.corrections) {
    if (correction.at("slide") != slide.id) continue;
    auto geometry = geometry_of(correction);
    if (geometry.is_null()) continue;
    features.push_back({{"type", "Feature"},
                        {"geometry", std::move(geometry)},
                        {"properties",
                         {{"objectType", "annotation"},
                          {"name", reader + " " + std::to_string(correction.at("seq").get<std::int64_t>())},
                          {"classification", classification(correction.at("label").get<std::string>())},
                          {"metadata", {{"reader", reader}, {"time", correction.at("time")}, {"shape", correction.at("shape")}}}}}});
  }
  for (auto feature : outlines.value("features", json::array())) {
    const auto verdict = state.verdicts.find({slide.id, feature.value("id", "")});
    if (verdict == state.verdicts.end()) continue;
    const auto judged = verdict->second.at("verdict").get<std::string>();
    if (judged == "disagree") feature["properties"]["classification"] = classification("not tumour");
    feature["properties"]["name"] = judged + " (" + reader + ")";
    feature["properties"]["metadata"] = {{"reader", reader}, {"time", verdict->second.at("time")}, {"verdict", judged}};
    features.push_back(std::move(feature));
  }
  return {{"type", "FeatureCollection"}, {"features", features}};
}

json state_json(const ReviewState& state, const ViewRun& run, const std::string& slide) {
  json verdicts = json::array(), slides = json::object(), corrections = json::array(), comments = json::array();
  for (const auto& [key, verdict] : state.verdicts) {
    if (key.first == slide) verdicts.push_back(verdict);
    if (key.second.empty()) slides[key.first] = verdict.at("verdict");
  }
  for (const auto& entry : state.corrections) {
    if (entry.at("slide") == slide) corrections.push_back(entry);
  }
  for (const auto& entry : state.comments) {
    if (entry.at("slide") == slide) comments.push_back(entry);
  }
  return {{"verdicts", verdicts}, {"slides", slides}, {"corrections", corrections}, {"comments", comments},
          {"concordance", concordance(state, run)}};
}

ReviewDesk::ReviewDesk(ViewRun& run) : run_(run), journal_(run.folder() / "review") {}

Reply ReviewDesk::get(const Query& query) const {
  if (query.path == "/api/review/readers") return json_reply(journal_.readers());
  if (query.path == "/api/review/agreement") return agreement(query.parameter("what"));
  const std::string reader = query.parameter("reader"), slide = query.parameter("slide");
  if (!is_reader_name(reader)) return error_reply(400, "reader: expected a name of letters, digits, blanks, '.', '_', '-'");
  if (query.path == "/api/review") return json_reply(state_json(fold_review(journal_.entries(reader)), run_, slide));
  if (query.path == "/api/review/geojson") return geojson(reader, slide);
  return not_found();
}

Reply ReviewDesk::agreement(const std::string& what) const {
  if (what != "slides" && what != "regions") return error_reply(400, "what: expected slides or regions");
  std::map<std::string, ReviewState> states;
  for (const auto& reader : journal_.readers()) states[reader] = fold_review(journal_.entries(reader));
  Reply reply{200, "text/csv; charset=utf-8", agreement_csv(states, run_, what == "regions"), {}};
  reply.headers.emplace_back("Content-Disposition", "attachment; filename=\"agreement-" + what + ".csv\"");
  return reply;
}

Reply ReviewDesk::geojson(const std::string& reader, const std::string& slide_id) const {
  const ViewSlide* slide = run_.find(slide_id);
  if (slide == nullptr) return error_reply(404, "slide: the run has no such slide");
  const auto outlines = json::parse(run_.outlines(*slide), nullptr, false);
  auto reply = json_reply(review_geojson(fold_review(journal_.entries(reader)), *slide,
                                         outlines.is_object() ? outlines : json::object(), reader));
  reply.type = "application/geo+json";
  reply.headers.emplace_back("Content-Disposition", "attachment; filename=\"review.geojson\"");
  return reply;
}

Reply ReviewDesk::training(const json& document) const {
  const auto reader = document.value("reader", json()).is_string() ? document.at("reader").get<std::string>() : std::string();
  if (!is_reader_name(reader)) return error_reply(400, "reader: expected a name of letters, digits, blanks, '.', '_', '-'");
  const auto open = [&](const ViewSlide& slide) {
    return slide.missing.empty() ? std::make_shared<const wsi::Slide>(slide.file, wsi::SlideOptions{.um_per_px = {}, .icc = run_.icc()}) : nullptr;
  };
  try {
    const auto state = fold_review(journal_.entries(reader));
    return json_reply(export_training(state, run_, journal_.folder() / ("training-" + reader), open));
  } catch (const InputError& problem) {
    return error_reply(507, problem.what());
  }
}

Reply ReviewDesk::post(const Query& query, const std::string& body) {
  if (query.path != "/api/review" && query.path != "/api/review/training") return not_found();
  const auto document = json::parse(body, nullptr, false);
  if (!document.is_object()) return error_reply(400, "expected one JSON object");
  if (query.path == "/api/review/training") return training(document);
  json entry;
  std::string reader;
  try {
    reader = text_field(document, "reader", 120, false);
    if (!is_reader_name(reader)) throw InputError("reader: expected a name of letters, digits, blanks, '.', '_', '-'");
    entry = checked_entry(document, run_);
  } catch (const InputError& problem) {
    return error_reply(400, problem.what());
  }
  try {
    const bool undo = entry["kind"] == "undo";
    return json_reply(journal_.append(reader, entry, [&](const std::vector<json>& before, const json&) {
      if (undo && !can_be_undone(before, entry)) throw Conflict("target: no entry of this slide that can be undone");
    }));
  } catch (const Conflict& problem) {
    return error_reply(409, problem.what());
  } catch (const InputError& problem) {
    return error_reply(507, problem.what());
  }
}

}  // namespace clmnet::tools::view
