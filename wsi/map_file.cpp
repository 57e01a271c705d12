#include "wsi/map_file.h"

#include <mutex>
#include <stdexcept>

#include "tools/base/error.h"
#include "wsi/tiff_messages.h"

namespace clmnet::wsi {
namespace {

constexpr std::uint32_t kLargestTilePx = 4096;
constexpr std::uint32_t kLargestSidePx = 1U << 20;
constexpr int kMostLevels = 24;

}  // namespace

struct MapFile::Impl {
  explicit Impl(const std::filesystem::path& file) : path(file) { open(); }
  ~Impl() {
    if (tiff != nullptr) TIFFClose(tiff);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(path.string() + ": " + what + "; expected a heatmap that clmnet wrote; analyse the slide again");
  }

  void open();
  void add_level();

  std::filesystem::path path;
  std::string error;
  TIFF* tiff = nullptr;
  std::vector<SizePx> levels;
  int tile_px = 0;
  mutable std::mutex mutex;  // libtiff keeps the current directory in its handle
};

void MapFile::Impl::open() {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, remember_error, &error);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, std::int64_t{64} << 20);
  tiff = TIFFOpenExt(path.c_str(), "r", options);
  TIFFOpenOptionsFree(options);
  if (tiff == nullptr) fail("is no TIFF that can be read (" + error + ")");
  try {
    do {
      add_level();
    } while (static_cast<int>(levels.size()) < kMostLevels && TIFFReadDirectory(tiff) == 1);
    if (!error.empty()) fail("is damaged (" + error + ")");
  } catch (...) {
    TIFFClose(tiff);
    tiff = nullptr;
    throw;
  }
}

void MapFile::Impl::add_level() {
  std::uint32_t width = 0, height = 0, tile_width = 0, tile_height = 0;
  std::uint16_t bits = 1, channels = 1;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &channels);
  if (TIFFIsTiled(tiff) == 0) fail("is not tiled");
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
  if (bits != 8 || channels != 1) {
    fail("holds " + std::to_string(channels) + " channels of " + std::to_string(bits) + " bits, not one of 8");
  }
  if (width < 1 || height < 1 || width > kLargestSidePx || height > kLargestSidePx) fail("has an impossible size");
  if (tile_width != tile_height || tile_width < 16 || tile_width > kLargestTilePx) fail("has tiles of an impossible size");
  if (levels.empty()) {
    tile_px = static_cast<int>(tile_width);
  } else {
    const SizePx& finer = levels.back();
    if (width != (finer.width + 1) / 2 || height != (finer.height + 1) / 2 || static_cast<int>(tile_width) != tile_px) {
      fail("level " + std::to_string(levels.size()) + " is not half the one before");
    }
  }
  levels.push_back({width, height});
}

MapFile::MapFile(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
MapFile::~MapFile() = default;
MapFile::MapFile(MapFile&&) noexcept = default;
MapFile& MapFile::operator=(MapFile&&) noexcept = default;

const std::vector<SizePx>& MapFile::levels() const { return impl_->levels; }
int MapFile::tile_px() const { return impl_->tile_px; }

std::vector<std::uint8_t> MapFile::read_tile(std::size_t level, std::int64_t column, std::int64_t row) const {
  if (level >= impl_->levels.size()) throw std::invalid_argument("MapFile::read_tile: no such level");
  const auto size = impl_->levels[level];
  const std::int64_t side = impl_->tile_px;
  if (column < 0 || row < 0 || column >= tiles_over(size.width, side) || row >= tiles_over(size.height, side)) {
    throw std::invalid_argument("MapFile::read_tile: no such tile");
  }
  std::vector<std::uint8_t> values(static_cast<std::size_t>(side * side));
  const std::lock_guard lock(impl_->mutex);
  impl_->error.clear();
  const bool read = TIFFSetDirectory(impl_->tiff, static_cast<tdir_t>(level)) == 1 &&
                    TIFFReadTile(impl_->tiff, values.data(), static_cast<std::uint32_t>(column * side),
                                 static_cast<std::uint32_t>(row * side), 0, 0) >= 0;
  if (!read) {
    impl_->fail("tile " + std::to_string(column) + ", " + std::to_string(row) + " of level " + std::to_string(level) +
                " cannot be decoded (" + impl_->error + ")");
  }
  return values;
}

std::int64_t tiles_over(std::int64_t length, std::int64_t tile_px) { return (length + tile_px - 1) / tile_px; }

}  // namespace clmnet::wsi
