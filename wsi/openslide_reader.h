#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "wsi/level_reader.h"
#include "wsi/openslide_api.h"

namespace clmnet::wsi {

/// A slide through OpenSlide: any vendor it knows. Level coordinates are placed with OpenSlide's own downsamples.
/// An OpenSlide handle that met one error answers nothing but errors from then on; such a handle is replaced, so that a
/// broken tile costs the regions over it and no others.
class OpenSlideReader : public LevelReader {
 public:
  /// Throws InputError: not a slide, damaged, a part of it missing.
  explicit OpenSlideReader(const std::filesystem::path& path, const OpenSlideApi& api = linked_openslide());

  std::string name() const override;
  const std::vector<PixelSource>& sources() const override { return sources_; }
  ReadOutcome read(const PixelSource& source, std::int64_t x, std::int64_t y, cv::Mat& rgb, TileCache* cache) const override;

  const std::string& vendor() const { return vendor_; }
  const std::map<std::string, std::string>& properties() const { return properties_; }
  const std::map<std::string, SizePx>& associated_images() const { return associated_images_; }
  /// Of the pixels of all levels; empty where the slide has none, or the library is too old (3) to say.
  std::vector<std::uint8_t> icc_profile() const;
  /// RGB on white. Throws InputError when it cannot be decoded; `name` must be one of associated_images().
  cv::Mat associated_image(const std::string& name) const;

 private:
  using Handle = std::shared_ptr<_openslide>;

  Handle current() const;
  void replace(const Handle& broken, Handle fresh) const;
  bool read_argb(std::uint32_t* argb, std::int64_t x0, std::int64_t y0, int level, SizePx size) const;

  const OpenSlideApi* api_;
  std::filesystem::path path_;
  std::string vendor_;
  bool gaps_are_losses_ = false;
  std::map<std::string, std::string> properties_;
  std::map<std::string, SizePx> associated_images_;
  std::vector<PixelSource> sources_;
  std::vector<double> openslide_downsample_;
  mutable std::mutex handle_mutex_;
  mutable Handle handle_;
};

/// OpenSlide's name for the vendor, from the first bytes of the file; "" when it knows none.
std::string detect_vendor(const std::filesystem::path& path, const OpenSlideApi& api = linked_openslide());

}  // namespace clmnet::wsi
