#include "tools/view/slide_tiles.h"

#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace clmnet::tools::view {
namespace {

std::int64_t divided_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

struct Compressor {
  Compressor() : handle(tjInitCompress()) {}
  ~Compressor() {
    if (handle != nullptr) tjDestroy(handle);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  tjhandle handle;
};

}  // namespace

int DeepZoom::max_level() const {
  int level = 0;
  while ((std::int64_t{1} << level) < std::max(extent.width, extent.height)) ++level;
  return level;
}

std::int64_t DeepZoom::downsample(int level) const { return std::int64_t{1} << (max_level() - level); }

wsi::SizePx DeepZoom::size(int level) const {
  return {divided_up(extent.width, downsample(level)), divided_up(extent.height, downsample(level))};
}

std::optional<TilePlace> place_tile(const DeepZoom& pyramid, int level, std::int64_t column, std::int64_t row) {
  if (level < 0 || level > pyramid.max_level() || column < 0 || row < 0) return std::nullopt;
  const auto size = pyramid.size(level);
  constexpr std::int64_t kSide = DeepZoom::kTilePx;
  if (column >= divided_up(size.width, kSide) || row >= divided_up(size.height, kSide)) return std::nullopt;
  const std::int64_t left = column * kSide, top = row * kSide, scale = pyramid.downsample(level);
  return TilePlace{{left * scale, top * scale}, scale, {std::min(kSide, size.width - left), std::min(kSide, size.height - top)}};
}

std::string encode_jpeg(const cv::Mat& rgb, int quality) {
  thread_local Compressor compressor;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int status = tjCompress2(compressor.handle, rgb.data, rgb.cols, static_cast<int>(rgb.step), rgb.rows, TJPF_RGB, &bytes,
                                 &size, TJSAMP_444, quality, TJFLAG_FASTDCT);
  std::string jpeg;
  if (status == 0) jpeg.assign(reinterpret_cast<const char*>(bytes), size);
  tjFree(bytes);
  if (status != 0) throw std::runtime_error("a tile could not be encoded as JPEG");
  return jpeg;
}

SlideTiles::SlideTiles() : SlideTiles(Limits{}) {}
SlideTiles::SlideTiles(const Limits& limits, bool icc)
    : limits_(limits), icc_(icc), sources_(limits.open_slides), jpegs_(limits.cache_bytes) {}

std::shared_ptr<const SlideTiles::Source> SlideTiles::source(const std::filesystem::path& file) {
  if (auto open = sources_.find(file.string())) return open;
  wsi::Slide slide(file, {.um_per_px = {}, .icc = icc_});
  StoredTiles stored(slide);
  auto opened = std::make_shared<const Source>(Source{std::move(slide), std::move(stored)});
  sources_.put(file.string(), opened, 1);
  return opened;
}

std::shared_ptr<const wsi::Slide> SlideTiles::slide(const std::filesystem::path& file) {
  auto opened = source(file);
  return {opened, &opened->slide};
}

std::shared_ptr<const std::string> SlideTiles::tile(const std::filesystem::path& file, int level, std::int64_t column,
                                                    std::int64_t row) {
  const std::string key = file.string() + "|" + std::to_string(level) + "|" + std::to_string(column) + "|" + std::to_string(row);
  if (auto kept = jpegs_.find(key)) return kept;
  const auto from = source(file);
  const auto place = place_tile({from->slide.extent()}, level, column, row);
  if (!place) return nullptr;
  auto stored = from->stored.find(*place);
  if (!stored) {
    const double scale = static_cast<double>(place->downsample);
    stored = encode_jpeg(from->slide.read_scaled(place->origin, scale, scale, place->size).rgb, limits_.jpeg_quality);
  }
  auto jpeg = std::make_shared<const std::string>(std::move(*stored));
  jpegs_.put(key, jpeg, jpeg->size() + key.size());
  return jpeg;
}

std::shared_ptr<const std::string> SlideTiles::thumbnail(const std::filesystem::path& file, int side_px) {
  const auto extent = slide(file)->extent();
  return crop(file, {{0, 0}, extent}, side_px);
}

std::shared_ptr<const std::string> SlideTiles::crop(const std::filesystem::path& file, const wsi::Level0Rect& box, int side_px) {
  const auto source = slide(file);
  const std::int64_t left = std::max<std::int64_t>(box.origin.x, 0), top = std::max<std::int64_t>(box.origin.y, 0);
  const std::int64_t width = std::min(box.origin.x + box.size.width, source->extent().width) - left;
  const std::int64_t height = std::min(box.origin.y + box.size.height, source->extent().height) - top;
  if (width <= 0 || height <= 0) return nullptr;
  const std::string key = file.string() + "|crop|" + std::to_string(left) + "|" + std::to_string(top) + "|" +
                          std::to_string(width) + "|" + std::to_string(height) + "|" + std::to_string(side_px);
  if (auto kept = jpegs_.find(key)) return kept;
  const double scale = std::max(1.0, static_cast<double>(std::max(width, height)) / side_px);
  const wsi::SizePx size{std::max<std::int64_t>(1, std::llround(static_cast<double>(width) / scale)),
                         std::max<std::int64_t>(1, std::llround(static_cast<double>(height) / scale))};
  const auto region = source->read_scaled({left, top}, static_cast<double>(width) / static_cast<double>(size.width),
                                          static_cast<double>(height) / static_cast<double>(size.height), size);
  auto jpeg = std::make_shared<const std::string>(encode_jpeg(region.rgb, limits_.jpeg_quality));
  jpegs_.put(key, jpeg, jpeg->size() + key.size());
  return jpeg;
}

}  // namespace clmnet::tools::view
