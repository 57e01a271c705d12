#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// One resolution of the pyramid as it is stored.
struct LevelInfo {
  SizePx size;
  double downsample_x = 1;  ///< level-0 px per px of this level; not always whole, nor equal to downsample_y
  double downsample_y = 1;
};

/// Which code decodes the pixels: `direct` reads JPEG-tiled TIFF without OpenSlide, `automatic` takes it where it can.
enum class ReaderKind { automatic, direct, openslide };

struct SlideOptions {
  std::optional<UmPerPx> um_per_px;              ///< the user's --mpp; overrides the file and is recorded as such
  ReaderKind reader = ReaderKind::automatic;
  std::string um_per_px_flag = "--mpp";          ///< what the command in hand calls um_per_px; messages name it
  bool icc = false;                              ///< --icc: colours to sRGB through the slide's own ICC profile
};

/// What is known of a slide without decoding pixels.
struct SlideInfo {
  std::string vendor;                            ///< OpenSlide's name: "aperio", "mirax", "generic-tiff", ...
  std::string reader;                            ///< "direct (libtiff, libjpeg-turbo)" or "OpenSlide 3.4.1"
  SizePx extent;                                 ///< level 0
  std::vector<LevelInfo> levels;
  std::optional<UmPerPx> um_per_px;              ///< empty when neither file nor user says
  std::string um_per_px_source;                  ///< "openslide.mpp-x", "tiff.XResolution", "--mpp", or why it is missing
  std::optional<double> objective_power;
  std::optional<Level0Rect> bounds;              ///< openslide.bounds-*
  std::map<std::string, SizePx> associated_images;
  std::map<std::string, std::string> properties;
  std::string icc_profile;                       ///< --icc: what the profile that colours are converted from says it is; else empty
};

/// A region's pixels and whether all of them could be decoded.
struct Region {
  cv::Mat rgb;                                   ///< CV_8UC3, R G B order; outside the scan and transparent: white;
                                                 ///< what could not be decoded: black
  bool complete = true;                          ///< false: some stored tile under it is corrupt or missing
};

class TileCache;

/// One whole-slide image, open for reading. Any thread may call any const member.
class Slide {
 public:
  /// Throws InputError: missing, empty, truncated, not a slide, a reader that cannot read it, with icc one without ICC profile.
  explicit Slide(const std::filesystem::path& path, const SlideOptions& options = {});
  ~Slide();
  Slide(Slide&&) noexcept;
  Slide& operator=(Slide&&) noexcept;

  const std::filesystem::path& path() const;
  std::string name() const;                      ///< file name without extension
  const SlideInfo& info() const;
  SizePx extent() const { return info().extent; }

  /// Throws InputError that names --mpp (um_per_px_flag) where the slide does not say its resolution.
  UmPerPx um_per_px() const;

  /// `size` pixels of `um_per_px` whose top-left corner is the top-left corner of level-0 pixel `origin`; the corner of an
  /// image, not the centre of its first pixel, is what lies at `origin`. Resampled by area from the nearest better level;
  /// where the wanted resolution is finer than the scan, bilinear from level 0.
  /// The region may overhang the scan on every side.
  /// Throws InputError where the slide does not say its resolution; std::invalid_argument for a size or resolution <= 0.
  Region read(Level0Px origin, UmPerPx um_per_px, SizePx size) const;

  /// As read, with the resolution given as level-0 pixels per pixel of the result; works without µm/px.
  Region read_scaled(Level0Px origin, double downsample_x, double downsample_y, SizePx size) const;

  /// As read_scaled, into pixels that the caller owns: CV_8UC3, its rows and columns are the region's size.
  /// Returns whether all of it could be decoded. With a cache, stored tiles that several regions share are decoded once.
  bool read_into(cv::Mat& rgb, Level0Px origin, double downsample_x, double downsample_y, TileCache* cache = nullptr) const;

  /// Tells the cache which stored tiles a later read_into of the same arguments will use, so that it keeps each of them
  /// just as long as it is needed.
  void announce(TileCache& cache, Level0Px origin, double downsample_x, double downsample_y, SizePx size) const;

  /// The ICC profile of the pixels, as the file holds it; empty where there is none. OpenSlide 3 finds it in TIFF slides only.
  std::vector<std::uint8_t> icc_profile() const;

  /// "label", "macro", "thumbnail"; RGB as stored, also with icc. Throws InputError when there is none of that name.
  cv::Mat associated_image(const std::string& name) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace clmnet::wsi
