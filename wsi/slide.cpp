#include "wsi/slide.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <stdexcept>

#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "wsi/calibration.h"
#include "wsi/colour_profile.h"
#include "wsi/direct_reader.h"
#include "wsi/openslide_reader.h"
#include "wsi/resample.h"

namespace clmnet::wsi {
namespace {

namespace fs = std::filesystem;

constexpr int kBlockPx = 2048;  // source pixels per side that resampling holds at once, whatever the region
constexpr double kLeastShrunkenPixels = 2;  // of a source shrunk by its codec, per side of a wanted pixel

/// The mistakes that the system can name before any library looks at the file.
void check_file(const fs::path& path) {
  const std::string where = path.string();
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) throw InputError(where + ": no such file; give the path of a slide");
  if (fs::is_directory(status)) {
    throw InputError(where + ": is a folder; expected one slide file (for MIRAX the .mrxs beside its folder); give each file");
  }
  const auto bytes = fs::file_size(path, error);
  if (error) throw InputError(where + ": cannot be read (" + error.message() + "); check the path and its permissions");
  if (bytes == 0) throw InputError(where + ": is empty (0 bytes); expected a slide; copy it again");
  if (!std::ifstream(path, std::ios::binary)) throw InputError(where + ": may not be read; check its permissions");
}

/// The directories of a slide whose levels are whole TIFF directories, tile beside tile (other vendors overlap or pad theirs).
/// A slide that was cut off is an error here, not black tiles in an hour.
std::shared_ptr<const TiffFile> open_whole_tiff(const fs::path& path) {
  auto file = std::make_shared<const TiffFile>(path);
  std::int64_t tiles = 0;
  for (const auto& level : file->levels()) tiles += static_cast<std::int64_t>(level.offsets.size());
  const std::int64_t beyond = file->tiles_beyond_end();
  // A single wild offset is a broken tile, to be counted; more are a file that ends too early.
  if (beyond >= std::max<std::int64_t>(2, tiles / 1000)) {
    throw InputError(path.filename().string() + ": truncated: " + std::to_string(beyond) + " of " + std::to_string(tiles) +
                     " stored tiles lie beyond its end (" + std::to_string(file->bytes()) + " bytes); copy it again, whole");
  }
  return file;
}

std::optional<double> number_property(const std::map<std::string, std::string>& properties, const std::string& key) {
  const auto found = properties.find(key);
  return found == properties.end() ? std::nullopt : parse_number(found->second);
}

std::optional<Level0Rect> find_bounds(const std::map<std::string, std::string>& properties) {
  const auto x = number_property(properties, "openslide.bounds-x");
  const auto y = number_property(properties, "openslide.bounds-y");
  const auto width = number_property(properties, "openslide.bounds-width");
  const auto height = number_property(properties, "openslide.bounds-height");
  if (!x || !y || !width || !height) return std::nullopt;
  for (const double value : {*x, *y, *width, *height}) {
    if (std::abs(value) > 1e15) return std::nullopt;
  }
  const auto whole = [](double value) { return static_cast<std::int64_t>(std::llround(value)); };
  return Level0Rect{{whole(*x), whole(*y)}, {whole(*width), whole(*height)}};
}

/// How pixels of the result lie on those of a source.
AxisMap place(std::int64_t origin_px, double downsample, double source_downsample) {
  return {static_cast<double>(origin_px) / source_downsample, downsample / source_downsample};
}

void require_positive(const char* what, double x, double y) {
  if (!(x > 0) || !(y > 0) || !std::isfinite(x) || !std::isfinite(y)) {
    throw std::invalid_argument(std::string("Slide: ") + what + " must be > 0 and finite");
  }
}

}  // namespace

class Slide::Impl {
 public:
  Impl(const fs::path& path, const SlideOptions& options) : path_(path), um_per_px_flag_(options.um_per_px_flag) {
    check_file(path);
    // The TIFF is looked at first: what is wrong with it can be said better than OpenSlide does.
    const OpenSlideApi* api = &linked_openslide();
    std::string vendor = detect_vendor(path);
    if (vendor.empty() && openslide4() && !(vendor = detect_vendor(path, *openslide4())).empty()) api = openslide4();
    if ((vendor == "aperio" || vendor == "generic-tiff") && looks_like_tiff(path)) tiff_ = open_whole_tiff(path);
    openslide_ = std::make_unique<OpenSlideReader>(path, *api);
    reader_ = openslide_.get();
    std::string declined = openslide_->vendor() + " is not read directly";
    if (tiff_ && options.reader != ReaderKind::openslide) declined = open_direct();
    if (options.reader == ReaderKind::direct && !direct_) {
      throw InputError(path.filename().string() + ": the direct reader cannot read it (" + declined +
                       "); expected TIFF with JPEG tiles; use --reader auto");
    }
    fill_info(options);
    if (options.icc) use_icc_profile();
  }

  /// The coarsest pixels that are at least as fine as wanted; level 0 where none is. What a codec shrinks counts only where
  /// it fits: pixel on pixel, or with two or more of its pixels in each one wanted. Between these its grid would show.
  const PixelSource& nearest_better(Level0Px origin, double downsample_x, double downsample_y, SizePx size) const;

  bool read_block(cv::Mat& rgb, const PixelSource& source, AxisMap x, AxisMap y, TileCache* cache) const;

  std::vector<std::uint8_t> icc_profile() const;

  /// What of a region lies inside the scan becomes sRGB, where that is wanted.
  void convert_colours(cv::Mat& rgb, Level0Px origin, double downsample_x, double downsample_y) const;

  fs::path path_;
  std::string um_per_px_flag_;
  SlideInfo info_;
  std::unique_ptr<OpenSlideReader> openslide_;
  std::unique_ptr<DirectReader> direct_;
  const LevelReader* reader_ = nullptr;

 private:
  std::string open_direct();
  void fill_info(const SlideOptions& options);
  void use_icc_profile();

  std::shared_ptr<const TiffFile> tiff_;
  std::unique_ptr<const SrgbTransform> to_srgb_;
};

const PixelSource& Slide::Impl::nearest_better(Level0Px origin, double downsample_x, double downsample_y, SizePx size) const {
  constexpr double kSame = 1 + 1e-6;
  const PixelSource* best = &reader_->sources().front();
  for (const auto& source : reader_->sources()) {
    const auto x = place(origin.x, downsample_x, source.downsample_x);
    const auto y = place(origin.y, downsample_y, source.downsample_y);
    if (x.ratio * kSame < 1 || y.ratio * kSame < 1) continue;
    const bool copy = is_copy(x, size.width) && is_copy(y, size.height);
    if (source.codec_shrink == 1 || copy || (x.ratio >= kLeastShrunkenPixels && y.ratio >= kLeastShrunkenPixels)) best = &source;
  }
  return *best;
}

/// Makes the direct reader the one in use, or returns why it declined.
std::string Slide::Impl::open_direct() {
  std::vector<SizePx> levels;
  for (const auto& source : openslide_->sources()) levels.push_back(source.size);
  std::string declined;
  direct_ = DirectReader::open(tiff_, levels, declined);
  if (direct_) reader_ = direct_.get();
  return declined;
}

void Slide::Impl::fill_info(const SlideOptions& options) {
  info_.vendor = openslide_->vendor();
  info_.reader = reader_->name();
  info_.properties = openslide_->properties();
  info_.associated_images = openslide_->associated_images();
  for (const auto& source : openslide_->sources()) {
    info_.levels.push_back({source.size, source.downsample_x, source.downsample_y});
  }
  info_.extent = info_.levels.front().size;
  info_.objective_power = number_property(info_.properties, "openslide.objective-power");
  info_.bounds = find_bounds(info_.properties);
  if (options.um_per_px) {
    require_positive("um_per_px", options.um_per_px->x, options.um_per_px->y);
    info_.um_per_px = options.um_per_px;
    info_.um_per_px_source = options.um_per_px_flag;
    return;
  }
  auto calibration = find_calibration(info_.properties);
  info_.um_per_px = calibration.um_per_px;
  info_.um_per_px_source = std::move(calibration.source);
}

std::vector<std::uint8_t> Slide::Impl::icc_profile() const {
  if (tiff_) return tiff_->icc_profile(info_.extent);
  const auto profile = openslide_->icc_profile();
  if (!profile.empty() || !openslide4()) return profile;
  try {
    return OpenSlideReader(path_, *openslide4()).icc_profile();
  } catch (const InputError&) {
    return {};  // a slide that only the older library opens
  }
}

void Slide::Impl::use_icc_profile() {
  const std::string where = path_.filename().string();
  const auto profile = icc_profile();
  if (profile.empty()) {
    throw InputError(where + ": no ICC profile is in the file" +
                     (tiff_ || openslide4() ? "" : " as far as OpenSlide 3 can tell (OpenSlide 4 sees more: run tools/setup)") +
                     ", so --icc cannot bring its colours to sRGB; leave out --icc");
  }
  to_srgb_ = std::make_unique<SrgbTransform>(profile, where);
  info_.icc_profile = to_srgb_->description().empty() ? "without a name" : to_srgb_->description();
}

void Slide::Impl::convert_colours(cv::Mat& rgb, Level0Px origin, double downsample_x, double downsample_y) const {
  if (!to_srgb_) return;
  const auto inside = [](std::int64_t from, std::int64_t extent, double downsample, int count) {
    const auto begin = std::floor(static_cast<double>(-from) / downsample);
    const auto end = std::ceil(static_cast<double>(extent - from) / downsample);
    return cv::Range(static_cast<int>(std::clamp<double>(begin, 0, count)), static_cast<int>(std::clamp<double>(end, 0, count)));
  };
  const auto columns = inside(origin.x, info_.extent.width, downsample_x, rgb.cols);
  const auto rows = inside(origin.y, info_.extent.height, downsample_y, rgb.rows);
  if (columns.empty() || rows.empty()) return;
  cv::Mat part = rgb(rows, columns);
  to_srgb_->apply(part);
}

/// `x` and `y` place the block on the source's pixels.
bool Slide::Impl::read_block(cv::Mat& rgb, const PixelSource& source, AxisMap x, AxisMap y, TileCache* cache) const {
  if (is_copy(x, rgb.cols) && is_copy(y, rgb.rows)) {
    const auto left = static_cast<std::int64_t>(std::llround(x.offset));
    const auto top = static_cast<std::int64_t>(std::llround(y.offset));
    const auto outcome = reader_->read(source, left, top, rgb, cache);
    if (std::abs(outcome.shift_x) < 0.01 && std::abs(outcome.shift_y) < 0.01) return outcome.complete;
  }
  // One pixel more on each side: what is delivered may lie half a pixel off what was asked for.
  const auto columns = source_span(x, rgb.cols);
  const auto rows = source_span(y, rgb.rows);
  thread_local cv::Mat pixels;
  pixels.create(static_cast<int>(rows.end - rows.begin + 2), static_cast<int>(columns.end - columns.begin + 2), CV_8UC3);
  const auto outcome = reader_->read(source, columns.begin - 1, rows.begin - 1, pixels, cache);
  x.offset -= static_cast<double>(columns.begin - 1) + outcome.shift_x;
  y.offset -= static_cast<double>(rows.begin - 1) + outcome.shift_y;
  resample(pixels, rgb, x, y);
  return outcome.complete;
}

Slide::Slide(const fs::path& path, const SlideOptions& options) : impl_(std::make_unique<Impl>(path, options)) {}
Slide::~Slide() = default;
Slide::Slide(Slide&&) noexcept = default;
Slide& Slide::operator=(Slide&&) noexcept = default;

const fs::path& Slide::path() const { return impl_->path_; }
std::string Slide::name() const { return impl_->path_.stem().string(); }
const SlideInfo& Slide::info() const { return impl_->info_; }

UmPerPx Slide::um_per_px() const {
  if (info().um_per_px) return *info().um_per_px;
  throw InputError(impl_->path_.filename().string() + ": pixel size unknown (" + info().um_per_px_source +
                   "); give " + impl_->um_per_px_flag_ + " if you know it");
}

Region Slide::read(Level0Px origin, UmPerPx um_per_px, SizePx size) const {
  require_positive("um_per_px", um_per_px.x, um_per_px.y);
  const auto scan = this->um_per_px();
  return read_scaled(origin, um_per_px.x / scan.x, um_per_px.y / scan.y, size);
}

Region Slide::read_scaled(Level0Px origin, double downsample_x, double downsample_y, SizePx size) const {
  constexpr std::int64_t kLargest = 1 << 20;
  if (size.width <= 0 || size.height <= 0 || size.width > kLargest || size.height > kLargest) {
    throw std::invalid_argument("Slide::read_scaled: size must be 1 to 1,048,576 px on each side");
  }
  Region region;
  region.rgb.create(static_cast<int>(size.height), static_cast<int>(size.width), CV_8UC3);
  region.complete = read_into(region.rgb, origin, downsample_x, downsample_y);
  return region;
}

namespace {

/// Calls visit(block, x, y) for parts of the region small enough to be resampled in bounded memory.
template <typename Visit>
void for_each_block(SizePx size, const PixelSource& source, Level0Px origin, double downsample_x, double downsample_y,
                    const Visit& visit) {
  const AxisMap x = place(origin.x, downsample_x, source.downsample_x);
  const AxisMap y = place(origin.y, downsample_y, source.downsample_y);
  const bool copy = is_copy(x, size.width) && is_copy(y, size.height);
  const auto block_px = [&](const AxisMap& map, std::int64_t whole) {
    return copy ? whole : std::clamp<std::int64_t>(static_cast<std::int64_t>(kBlockPx / map.ratio), 1, whole);
  };
  const SizePx step{block_px(x, size.width), block_px(y, size.height)};
  for (std::int64_t top = 0; top < size.height; top += step.height) {
    for (std::int64_t left = 0; left < size.width; left += step.width) {
      const cv::Rect block(static_cast<int>(left), static_cast<int>(top),
                           static_cast<int>(std::min(step.width, size.width - left)),
                           static_cast<int>(std::min(step.height, size.height - top)));
      visit(block, AxisMap{x.offset + static_cast<double>(left) * x.ratio, x.ratio},
            AxisMap{y.offset + static_cast<double>(top) * y.ratio, y.ratio});
    }
  }
}

}  // namespace

bool Slide::read_into(cv::Mat& rgb, Level0Px origin, double downsample_x, double downsample_y, TileCache* cache) const {
  require_positive("downsample", downsample_x, downsample_y);
  if (rgb.type() != CV_8UC3 || rgb.empty()) throw std::invalid_argument("Slide::read_into: wants CV_8UC3, not empty");
  const PixelSource& source = impl_->nearest_better(origin, downsample_x, downsample_y, {rgb.cols, rgb.rows});
  bool complete = true;
  for_each_block({rgb.cols, rgb.rows}, source, origin, downsample_x, downsample_y,
                 [&](const cv::Rect& block, const AxisMap& x, const AxisMap& y) {
                   cv::Mat part = rgb(block);
                   complete = impl_->read_block(part, source, x, y, cache) && complete;
                 });
  impl_->convert_colours(rgb, origin, downsample_x, downsample_y);
  return complete;
}

void Slide::announce(TileCache& cache, Level0Px origin, double downsample_x, double downsample_y, SizePx size) const {
  require_positive("downsample", downsample_x, downsample_y);
  const PixelSource& source = impl_->nearest_better(origin, downsample_x, downsample_y, size);
  for_each_block(size, source, origin, downsample_x, downsample_y,
                 [&](const cv::Rect& block, const AxisMap& x, const AxisMap& y) {
                   if (is_copy(x, block.width) && is_copy(y, block.height)) {
                     impl_->reader_->announce(source, std::llround(x.offset), std::llround(y.offset),
                                              {block.width, block.height}, cache);
                     return;
                   }
                   const auto columns = source_span(x, block.width);
                   const auto rows = source_span(y, block.height);
                   impl_->reader_->announce(source, columns.begin - 1, rows.begin - 1,
                                            {columns.end - columns.begin + 2, rows.end - rows.begin + 2}, cache);
                 });
}

std::vector<std::uint8_t> Slide::icc_profile() const { return impl_->icc_profile(); }

cv::Mat Slide::associated_image(const std::string& name) const {
  if (info().associated_images.count(name) > 0) return impl_->openslide_->associated_image(name);
  std::string known;
  for (const auto& [key, size] : info().associated_images) known += (known.empty() ? "" : ", ") + key;
  throw InputError(impl_->path_.filename().string() + ": no associated image '" + name + "'; it has " +
                   (known.empty() ? "none" : known));
}

}  // namespace clmnet::wsi
