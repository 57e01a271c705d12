#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>

#include "tools/commands.h"
#include "tools/slide_args.h"
#include "wsi/colour_profile.h"
#include "wsi/slide.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct InfoArgs {
  std::string slide;
  SlideArgs how;
  bool all = false;
};

json size_json(const wsi::SizePx& size) { return {{"width", size.width}, {"height", size.height}}; }

json info_json(const wsi::Slide& slide) {
  const auto& info = slide.info();
  json levels = json::array();
  for (const auto& level : info.levels) {
    levels.push_back({{"width", level.size.width},
                      {"height", level.size.height},
                      {"downsample_x", level.downsample_x},
                      {"downsample_y", level.downsample_y}});
  }
  json associated = json::object();
  for (const auto& [name, size] : info.associated_images) associated[name] = size_json(size);
  json document = {{"slide", slide.path().string()},
                   {"vendor", info.vendor},
                   {"reader", info.reader},
                   {"width_px", info.extent.width},
                   {"height_px", info.extent.height},
                   {"levels", levels},
                   {"um_per_px", nullptr},
                   {"um_per_px_source", info.um_per_px_source},
                   {"objective_power", nullptr},
                   {"bounds", nullptr},
                   {"icc_profile", nullptr},
                   {"associated_images", associated},
                   {"properties", info.properties}};
  if (const auto profile = slide.icc_profile(); !profile.empty()) {
    document["icc_profile"] = {{"bytes", profile.size()}, {"description", wsi::icc_description(profile)}};
  }
  if (info.um_per_px) document["um_per_px"] = {{"x", info.um_per_px->x}, {"y", info.um_per_px->y}};
  if (info.objective_power) document["objective_power"] = *info.objective_power;
  if (info.bounds) {
    document["bounds"] = {{"x", info.bounds->origin.x},
                          {"y", info.bounds->origin.y},
                          {"width", info.bounds->size.width},
                          {"height", info.bounds->size.height}};
  }
  return document;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string text(const wsi::SizePx& size) { return std::to_string(size.width) + " x " + std::to_string(size.height); }

void print_line(const std::string& key, const std::string& value) {
  std::cout << key << std::string(key.size() < 16 ? 16 - key.size() : 1, ' ') << value << '\n';
}

void print_text(const wsi::Slide& slide, bool all) {
  const auto& info = slide.info();
  print_line("slide", slide.path().string());
  print_line("vendor", info.vendor);
  print_line("reader", info.reader);
  print_line("size", text(info.extent) + " px");
  if (info.um_per_px) {
    print_line("resolution", number(info.um_per_px->x) + " x " + number(info.um_per_px->y) + " µm/px (" + info.um_per_px_source + ")");
    const double to_mm = 1e-3;
    print_line("", number(static_cast<double>(info.extent.width) * info.um_per_px->x * to_mm) + " x " +
                       number(static_cast<double>(info.extent.height) * info.um_per_px->y * to_mm) + " mm");
  } else {
    print_line("resolution", "unknown (" + info.um_per_px_source + "); give --mpp if you know it");
  }
  print_line("objective", info.objective_power ? number(*info.objective_power) + "x" : "not recorded");
  const auto profile = slide.icc_profile();
  print_line("ICC profile", profile.empty() ? "none" : wsi::icc_description(profile) + " (" + std::to_string(profile.size()) + " bytes); --icc uses it");
  if (info.bounds) {
    print_line("bounds", text(info.bounds->size) + " px at " + std::to_string(info.bounds->origin.x) + ", " +
                             std::to_string(info.bounds->origin.y));
  }
  for (std::size_t i = 0; i < info.levels.size(); ++i) {
    const auto& level = info.levels[i];
    print_line("level " + std::to_string(i), text(level.size) + " px, downsample " + number(level.downsample_x) + " x " +
                                                 number(level.downsample_y));
  }
  for (const auto& [name, size] : info.associated_images) print_line("image", name + ", " + text(size) + " px");
  if (!all) return;
  for (const auto& [name, value] : info.properties) std::cout << name << ": " << value << '\n';
}

}  // namespace

void add_info(CLI::App& app, Session& session) {
  auto args = std::make_shared<InfoArgs>();
  auto* command = add_command(app, session, "info", "What a slide says of itself: size, levels, µm/px, objective, reader",
                              "clmnet info case_017.svs --json", [args, &session] {
                                const wsi::Slide slide(args->slide, args->how.options());
                                if (session.json) {
                                  print_json(info_json(slide));
                                } else {
                                  print_text(slide, args->all);
                                }
                                return 0;
                              });
  command->add_option("slide", args->slide, "Slide file")->required();
  command->add_flag("--properties", args->all, "Also every property of the file");
  args->how.add_to(*command);
}

}  // namespace clmnet::tools
