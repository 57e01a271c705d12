#include "tools/view/router.h"

#include <charconv>

#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools::view {
namespace {

using nlohmann::json;

constexpr int kThumbnailPx = 320;
constexpr int kLargestPicturePx = 2048;

/// A whole number of at most nine digits and nothing else; -1 otherwise.
std::int64_t whole(std::string_view text) {
  std::int64_t value = -1;
  if (text.empty() || text.size() > 9) return -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

/// "<column>_<row><ending>" into the two; false otherwise.
bool tile_name(const std::string& name, std::string_view ending, std::int64_t& column, std::int64_t& row) {
  if (name.size() <= ending.size() || std::string_view(name).substr(name.size() - ending.size()) != ending) return false;
  const auto parts = split(name.substr(0, name.size() - ending.size()), '_');
  if (parts.size() != 2) return false;
  column = whole(parts[0]);
  row = whole(parts[1]);
  return column >= 0 && row >= 0;
}

Reply jpeg_reply(const std::shared_ptr<const std::string>& jpeg) {
  if (!jpeg) return not_found();
  return {200, "image/jpeg", *jpeg};
}

json layer_json(const GreyLayer& layer, wsi::UmPerPx um_per_px) {
  json levels = json::array();
  for (const auto& level : layer.levels) levels.push_back({{"width", level.width}, {"height", level.height}});
  return {{"id", layer.id},
          {"title", layer.title},
          {"unit", layer.unit},
          {"low", layer.low},
          {"high", layer.high},
          {"threshold", layer.threshold ? json(*layer.threshold) : json()},
          {"origin_x", layer.origin_x},
          {"origin_y", layer.origin_y},
          {"downsample_x", layer.downsample_x},
          {"downsample_y", layer.downsample_y},
          {"tile_px", layer.tile_px},
          {"levels", levels},
          {"pixel_area_mm2", layer.downsample_x * um_per_px.x * layer.downsample_y * um_per_px.y * 1e-6}};
}

}  // namespace

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find(at, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

Reply error_reply(int status, const std::string& message) {
  auto reply = json_reply({{"error", message}});
  reply.status = status;
  return reply;
}

Reply json_reply(const json& document) {
  return {200, "application/json", document.dump(-1, ' ', false, json::error_handler_t::replace)};
}

Reply not_found() { return error_reply(404, "there is nothing under this address"); }

std::string Query::parameter(const std::string& name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

Router::Router(ViewRun& run, PageFiles page, const RouterOptions& options)
    : run_(run), page_(std::move(page)), options_(options), tiles_({}, run.icc()) {}

Reply Router::get(const Query& query) {
  if (const auto file = page_.find(query.path); file != page_.end()) return {200, file->second.type, file->second.body};
  const auto parts = split(query.path, '/');
  try {
    if (parts.size() >= 3 && parts[0].empty() && parts[1] == "api") return api(parts, query);
  } catch (const InputError& problem) {
    return error_reply(503, problem.what());
  }
  return not_found();
}

Reply Router::api(const std::vector<std::string>& parts, const Query& query) {
  if (parts.size() == 3 && parts[2] == "session") {
    return json_reply({{"may_write", query.may_write}, {"run", run_.folder().filename().string()}, {"version", CLMNET_VERSION}});
  }
  if (parts[2] != "slides") return not_found();
  if (parts.size() == 3) return slide_list();
  const ViewSlide* slide = run_.find(parts[3]);
  if (slide == nullptr) return not_found();
  if (parts.size() == 4) return slide_details(*slide);
  return slide_part(*slide, parts, query);
}

Reply Router::slide_list() const {
  json list = json::array();
  for (const auto& slide : run_.slides()) {
    list.push_back({{"id", slide.id},
                    {"file", slide.text("file")},
                    {"missing", slide.missing},
                    {"tumour_area_mm2", slide.number("tumour_area_mm2", 0)},
                    {"tissue_area_mm2", slide.number("tissue_area_mm2", 0)},
                    {"max_tile_probability", slide.number("max_tile_probability", 0)},
                    {"tumour_regions", slide.number("tumour_regions", 0)},
                    {"warnings", slide.summary.value("warnings", json::array())},
                    {"tiles_not_decoded", slide.number("tiles_not_decoded", 0)}});
  }
  return json_reply(list);
}

Reply Router::slide_details(const ViewSlide& slide) {
  const auto set = run_.layers(slide);
  json layers = json::array();
  for (const auto& layer : set->layers) layers.push_back(layer_json(*layer, slide.um_per_px));
  json document = {{"id", slide.id},         {"missing", slide.missing}, {"summary", slide.summary},
                   {"layers", layers},       {"problems", set->problems}, {"objective_power", nullptr},
                   {"has_label", false},     {"tile_px", DeepZoom::kTilePx},
                   {"max_level", DeepZoom{slide.extent}.max_level()}};
  if (slide.missing.empty()) {
    const auto scan = tiles_.slide(slide.file);
    if (scan->extent() != slide.extent) {
      return error_reply(409, slide.text("file") + ": is not the scan that was analysed (its size differs); check --slides");
    }
    if (scan->info().objective_power) document["objective_power"] = *scan->info().objective_power;
    document["has_label"] = options_.show_labels && scan->info().associated_images.count("label") > 0;
  }
  return json_reply(document);
}

Reply Router::slide_part(const ViewSlide& slide, const std::vector<std::string>& parts, const Query& query) {
  const std::string& what = parts[4];
  if (what == "layers") return layer_part(slide, parts);
  if (what == "value" && parts.size() == 5) return values(slide, query);
  if (what == "outlines" && parts.size() == 5) {
    auto text = run_.outlines(slide);
    return text.empty() ? not_found() : Reply{200, "application/json", std::move(text)};
  }
  if (!slide.missing.empty()) return error_reply(404, slide.missing);
  return slide_picture(slide, parts, query);
}

Reply Router::slide_picture(const ViewSlide& slide, const std::vector<std::string>& parts, const Query& query) {
  const std::string& what = parts[4];
  if (what == "tiles" && parts.size() == 7) {
    std::int64_t column = 0, row = 0;
    const std::int64_t level = whole(parts[5]);
    if (level < 0 || level > 62 || !tile_name(parts[6], ".jpg", column, row)) return not_found();
    return jpeg_reply(tiles_.tile(slide.file, static_cast<int>(level), column, row));
  }
  if (parts.size() != 5) return not_found();
  if (what == "thumbnail.jpg") return jpeg_reply(tiles_.thumbnail(slide.file, kThumbnailPx));
  if (what == "label.jpg" && options_.show_labels) {
    return {200, "image/jpeg", encode_jpeg(tiles_.slide(slide.file)->associated_image("label"), 85)};
  }
  if (what == "crop.jpg") {
    const std::int64_t x = whole(query.parameter("x")), y = whole(query.parameter("y"));
    const std::int64_t width = whole(query.parameter("width")), height = whole(query.parameter("height"));
    const std::int64_t side = whole(query.parameter("side"));
    if (x < 0 || y < 0 || width < 1 || height < 1 || side < 16 || side > kLargestPicturePx) {
      return error_reply(400, "expected x, y, width, height in level-0 px and side from 16 to 2048");
    }
    return jpeg_reply(tiles_.crop(slide.file, {{x, y}, {width, height}}, static_cast<int>(side)));
  }
  return not_found();
}

Reply Router::layer_part(const ViewSlide& slide, const std::vector<std::string>& parts) {
  const auto set = run_.layers(slide);
  const GreyLayer* layer = parts.size() > 6 ? set->find(parts[5]) : nullptr;
  if (layer == nullptr) return not_found();
  if (parts.size() == 7 && parts[6] == "histogram") return json_reply(layer->histogram());
  std::int64_t column = 0, row = 0;
  if (parts.size() != 8 || !tile_name(parts[7], "", column, row)) return not_found();
  const std::int64_t level = whole(parts[6]);
  if (level < 0 || !layer->has_tile(static_cast<std::size_t>(level), column, row)) return not_found();
  const auto values = layer->tile(static_cast<std::size_t>(level), column, row);
  return {200, "application/octet-stream", std::string(values.begin(), values.end())};
}

Reply Router::values(const ViewSlide& slide, const Query& query) {
  const auto x = parse_number(query.parameter("x")), y = parse_number(query.parameter("y"));
  if (!x || !y) return error_reply(400, "expected x and y in level-0 px");
  json list = json::array();
  const auto set = run_.layers(slide);
  for (const auto& layer : set->layers) {
    if (!layer->ready()) continue;
    const auto value = layer->value_at(*x, *y);
    list.push_back({{"layer", layer->id}, {"title", layer->title}, {"unit", layer->unit}, {"value", value ? json(*value) : json()}});
  }
  return json_reply({{"x", *x}, {"y", *y}, {"values", list}});
}

}  // namespace clmnet::tools::view
