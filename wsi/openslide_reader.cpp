#include "wsi/openslide_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <tiffio.h>

#include "tools/base/error.h"
#include "wsi/calibration.h"
#include "wsi/colour_profile.h"

namespace clmnet::wsi {
namespace {

constexpr std::int64_t kPixelsPerRead = 1 << 22;  // 16 MiB of ARGB, whatever the region

// OpenSlide 3.4 sets up libxml2 and GLib types while opening; two threads at once have been seen to race there.
std::mutex& opening() {
  static std::mutex mutex;
  // What libtiff has to say comes back through OpenSlide; its own lines on stderr would stand between ours.
  static const auto quiet = std::pair(TIFFSetErrorHandler(nullptr), TIFFSetWarningHandler(nullptr));
  static_cast<void>(quiet);
  return mutex;
}

std::shared_ptr<_openslide> open_handle(const OpenSlideApi& api, const std::filesystem::path& path) {
  const std::lock_guard lock(opening());
  return {api.open(path.c_str()), [close = api.close](_openslide* handle) {
            if (handle) close(handle);
          }};
}

std::map<std::string, std::string> read_properties(const OpenSlideApi& api, _openslide* handle) {
  std::map<std::string, std::string> properties;
  for (const char* const* name = api.get_property_names(handle); name && *name; ++name) {
    const char* value = api.get_property_value(handle, *name);
    properties[*name] = value ? value : "";
  }
  return properties;
}

std::map<std::string, SizePx> read_associated(const OpenSlideApi& api, _openslide* handle) {
  std::map<std::string, SizePx> images;
  for (const char* const* name = api.get_associated_image_names(handle); name && *name; ++name) {
    SizePx size;
    api.get_associated_image_dimensions(handle, *name, &size.width, &size.height);
    if (size.width > 0 && size.height > 0) images[*name] = size;
  }
  return images;
}

/// Premultiplied ARGB laid on white. Returns whether some pixel was wholly transparent; such pixels become `gap_value`.
bool compose_on_white(const std::uint32_t* argb, std::uint8_t* rgb, std::int64_t count, std::uint32_t gap_value = 255) {
  bool gap = false;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t pixel = argb[i];
    const std::uint32_t alpha = pixel >> 24;
    const std::uint32_t white = alpha == 0 ? gap_value : 255 - alpha;
    gap = gap || alpha == 0;
    rgb[3 * i + 0] = static_cast<std::uint8_t>(std::min(255U, ((pixel >> 16) & 255) + white));
    rgb[3 * i + 1] = static_cast<std::uint8_t>(std::min(255U, ((pixel >> 8) & 255) + white));
    rgb[3 * i + 2] = static_cast<std::uint8_t>(std::min(255U, (pixel & 255) + white));
  }
  return gap;
}

}  // namespace

std::string detect_vendor(const std::filesystem::path& path, const OpenSlideApi& api) {
  const std::lock_guard lock(opening());
  const char* vendor = api.detect_vendor(path.c_str());
  return vendor ? vendor : "";
}

OpenSlideReader::OpenSlideReader(const std::filesystem::path& path, const OpenSlideApi& api)
    : api_(&api), path_(path), handle_(open_handle(api, path)) {
  const std::string where = path.filename().string();
  if (!handle_) {
    throw InputError(where + ": not a slide that " + api.version +
                     " knows; expected SVS, tiled TIFF, MRXS, NDPI, SCN, BIF, SVSLIDE or VMS" + (openslide4() ? "" : " (DICOM needs OpenSlide 4: run tools/setup)") +
                     "; check the file, or convert it");
  }
  if (const char* error = api_->get_error(handle_.get())) {
    throw InputError(where + ": the slide is damaged or a part of it is missing (" + error + "); copy it again, whole");
  }
  properties_ = read_properties(api, handle_.get());
  associated_images_ = read_associated(api, handle_.get());
  const char* vendor = api_->get_property_value(handle_.get(), "openslide.vendor");
  vendor_ = vendor ? vendor : "unknown";
  // Other formats leave glass out on purpose; in these two every tile of a level is there, or it was lost.
  gaps_are_losses_ = vendor_ == "aperio" || vendor_ == "generic-tiff";
  SizePx full;
  api_->get_level0_dimensions(handle_.get(), &full.width, &full.height);
  for (int level = 0; level < api_->get_level_count(handle_.get()); ++level) {
    SizePx size;
    api_->get_level_dimensions(handle_.get(), level, &size.width, &size.height);
    if (size.width <= 0 || size.height <= 0) {
      throw InputError(where + ": level " + std::to_string(level) + " is " + std::to_string(size.width) + " x " +
                       std::to_string(size.height) + " px, expected at least 1 x 1; the file is damaged, copy it again");
    }
    const auto downsample = level_downsample(full, size);
    sources_.push_back({static_cast<std::size_t>(level), 1, size, downsample.x, downsample.y});
    openslide_downsample_.push_back(api_->get_level_downsample(handle_.get(), level));
  }
  if (sources_.empty()) throw InputError(where + ": the slide has no level; the file is damaged, copy it again");
}

std::string OpenSlideReader::name() const { return api_->version; }

OpenSlideReader::Handle OpenSlideReader::current() const {
  const std::lock_guard lock(handle_mutex_);
  return handle_;
}

void OpenSlideReader::replace(const Handle& broken, Handle fresh) const {
  const std::lock_guard lock(handle_mutex_);
  if (handle_ == broken) handle_ = std::move(fresh);
}

bool OpenSlideReader::read_argb(std::uint32_t* argb, std::int64_t x0, std::int64_t y0, int level, SizePx size) const {
  const Handle shared = current();
  api_->read_region(shared.get(), argb, x0, y0, level, size.width, size.height);
  if (!api_->get_error(shared.get())) return true;
  // The error may be another thread's: only a handle that nobody else reads with can tell.
  const Handle own = open_handle(*api_, path_);
  if (!own || api_->get_error(own.get())) return false;
  api_->read_region(own.get(), argb, x0, y0, level, size.width, size.height);
  const bool readable = api_->get_error(own.get()) == nullptr;
  Handle fresh = readable ? own : open_handle(*api_, path_);
  if (fresh && !api_->get_error(fresh.get())) replace(shared, std::move(fresh));
  return readable;
}

ReadOutcome OpenSlideReader::read(const PixelSource& source, std::int64_t x, std::int64_t y, cv::Mat& rgb, TileCache*) const {
  rgb.setTo(cv::Scalar::all(255));
  const std::int64_t left = std::max<std::int64_t>(x, 0);
  const std::int64_t top = std::max<std::int64_t>(y, 0);
  const std::int64_t right = std::min(x + rgb.cols, source.size.width);
  const std::int64_t bottom = std::min(y + rgb.rows, source.size.height);
  if (left >= right || top >= bottom) return {};

  // OpenSlide wants level-0 positions in whole pixels, which need not lie on this level's pixels.
  const double downsample = openslide_downsample_[source.level];
  const auto x0 = static_cast<std::int64_t>(std::llround(static_cast<double>(left) * downsample));
  ReadOutcome outcome;
  outcome.shift_x = static_cast<double>(x0) / downsample - static_cast<double>(left);
  const std::int64_t width = right - left;
  const std::int64_t rows_at_once = std::clamp<std::int64_t>(kPixelsPerRead / width, 1, bottom - top);
  std::vector<std::uint32_t> argb(static_cast<std::size_t>(width * rows_at_once));
  for (std::int64_t band = top; band < bottom; band += rows_at_once) {
    const SizePx size{width, std::min(rows_at_once, bottom - band)};
    const auto y0 = static_cast<std::int64_t>(std::llround(static_cast<double>(band) * downsample));
    if (band == top) outcome.shift_y = static_cast<double>(y0) / downsample - static_cast<double>(band);
    const bool readable = read_argb(argb.data(), x0, y0, static_cast<int>(source.level), size);
    outcome.complete = outcome.complete && readable;
    for (std::int64_t row = 0; row < size.height; ++row) {
      auto* out = rgb.ptr<std::uint8_t>(static_cast<int>(band - y + row)) + 3 * (left - x);
      if (!readable) {
        std::fill_n(out, 3 * width, std::uint8_t{0});
      } else if (compose_on_white(argb.data() + row * width, out, width, gaps_are_losses_ ? 0 : 255) && gaps_are_losses_) {
        outcome.complete = false;
      }
    }
  }
  return outcome;
}

std::vector<std::uint8_t> OpenSlideReader::icc_profile() const {
  if (!api_->get_icc_profile_size || !api_->read_icc_profile) return {};
  const Handle own = open_handle(*api_, path_);  // an error here must not spoil the handle that pixels are read with
  const std::int64_t bytes = own ? api_->get_icc_profile_size(own.get()) : 0;
  if (bytes <= 0 || bytes > kMostIccBytes) return {};
  std::vector<std::uint8_t> profile(static_cast<std::size_t>(bytes));
  api_->read_icc_profile(own.get(), profile.data());
  return api_->get_error(own.get()) ? std::vector<std::uint8_t>() : profile;
}

cv::Mat OpenSlideReader::associated_image(const std::string& name) const {
  const SizePx size = associated_images_.at(name);
  if (size.width * size.height > (std::int64_t{1} << 28)) {
    throw InputError(path_.filename().string() + ": associated image '" + name + "' claims " + std::to_string(size.width) + " x " +
                     std::to_string(size.height) + " px; the file is damaged, copy it again");
  }
  std::vector<std::uint32_t> argb(static_cast<std::size_t>(size.width * size.height));
  const Handle own = open_handle(*api_, path_);
  if (own) api_->read_associated_image(own.get(), name.c_str(), argb.data());
  if (!own || api_->get_error(own.get())) {
    throw InputError(path_.filename().string() + ": associated image '" + name + "' cannot be decoded; the file is damaged");
  }
  cv::Mat rgb(static_cast<int>(size.height), static_cast<int>(size.width), CV_8UC3);
  compose_on_white(argb.data(), rgb.data, size.width * size.height);
  return rgb;
}

}  // namespace clmnet::wsi
