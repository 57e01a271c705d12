#include "wsi/calibration.h"

#include <algorithm>
#include <cmath>

#include "tools/base/csv.h"

namespace clmnet::wsi {
namespace {

constexpr double kFinestUmPerPx = 0.01;
constexpr double kCoarsestUmPerPx = 50;

const std::string* find(const std::map<std::string, std::string>& properties, const std::string& key) {
  const auto found = properties.find(key);
  return found == properties.end() ? nullptr : &found->second;
}

bool plausible(double um_per_px) { return um_per_px >= kFinestUmPerPx && um_per_px <= kCoarsestUmPerPx; }

std::optional<double> number_at(const std::map<std::string, std::string>& properties, const std::string& key) {
  const auto* text = find(properties, key);
  return text ? parse_number(*text) : std::nullopt;
}

/// µm in one unit of tiff.ResolutionUnit; empty for 'none'.
std::optional<double> um_per_unit(const std::string& unit) {
  if (unit == "inch") return 25400.0;
  if (unit == "centimeter") return 10000.0;
  return std::nullopt;
}

Calibration from_tiff(const std::map<std::string, std::string>& properties, const std::string& no_mpp) {
  const auto* unit = find(properties, "tiff.ResolutionUnit");
  if (!unit) return {std::nullopt, no_mpp + ", no tiff.ResolutionUnit"};
  const auto um = um_per_unit(*unit);
  if (!um) return {std::nullopt, no_mpp + ", tiff.ResolutionUnit is '" + *unit + "'"};
  const auto per_unit_x = number_at(properties, "tiff.XResolution");
  const auto per_unit_y = number_at(properties, "tiff.YResolution");
  if (!per_unit_x || !per_unit_y) return {std::nullopt, no_mpp + ", no tiff.XResolution"};
  const UmPerPx found{*um / *per_unit_x, *um / *per_unit_y};
  if (!plausible(found.x) || !plausible(found.y)) {
    return {std::nullopt, no_mpp + ", tiff.XResolution " + *find(properties, "tiff.XResolution") + " per " + *unit +
                              " is not a microscope's"};
  }
  return {found, "tiff.XResolution"};
}

/// Whether a level of this size comes of shrinking by `factor`, what is left over dropped or padded.
bool explains(std::int64_t factor, std::int64_t full_px, std::int64_t level_px) {
  if (factor < 1) return false;
  const std::int64_t dropped = full_px / factor;
  return level_px == dropped || (level_px == dropped + 1 && full_px % factor != 0);
}

}  // namespace

Calibration find_calibration(const std::map<std::string, std::string>& properties) {
  const auto* text = find(properties, "openslide.mpp-x");
  if (!text) return from_tiff(properties, "no openslide.mpp-x");
  const auto x = parse_number(*text);
  const auto y = number_at(properties, "openslide.mpp-y");
  if (!x || !plausible(*x)) return from_tiff(properties, "openslide.mpp-x is '" + *text + "'");
  if (!y || !plausible(*y)) return from_tiff(properties, "openslide.mpp-y is missing or not a number");
  return {UmPerPx{*x, *y}, "openslide.mpp-x"};
}

Downsample level_downsample(SizePx full, SizePx level) {
  const auto ratio = [](std::int64_t whole, std::int64_t part) { return static_cast<double>(whole) / static_cast<double>(part); };
  const Downsample measured{ratio(full.width, level.width), ratio(full.height, level.height)};
  const double middle = std::sqrt(measured.x * measured.y);
  const auto power_of_two = std::int64_t{1} << std::clamp<long>(std::lround(std::log2(middle)), 0, 40);
  for (const std::int64_t factor : {power_of_two, static_cast<std::int64_t>(std::llround(middle))}) {
    if (explains(factor, full.width, level.width) && explains(factor, full.height, level.height)) {
      return {static_cast<double>(factor), static_cast<double>(factor)};
    }
  }
  const auto x = static_cast<std::int64_t>(std::llround(measured.x));
  const auto y = static_cast<std::int64_t>(std::llround(measured.y));
  return {explains(x, full.width, level.width) ? static_cast<double>(x) : measured.x,
          explains(y, full.height, level.height) ? static_cast<double>(y) : measured.y};
}

}  // namespace clmnet::wsi
