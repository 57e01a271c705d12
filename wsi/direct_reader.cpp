#include "wsi/direct_reader.h"

#include <algorithm>
#include <cstring>

#include "wsi/calibration.h"
#include "wsi/jpeg_decoder.h"

namespace clmnet::wsi {
namespace {

constexpr int kShrinks[] = {8, 4, 2, 1};

std::int64_t divide_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

TileCache::Key key_of(const PixelSource& source, std::int64_t index) {
  return (static_cast<TileCache::Key>(source.level) << 40) | (static_cast<TileCache::Key>(source.codec_shrink) << 32) |
         static_cast<TileCache::Key>(index);
}

JpegDecoder& decoder_of_this_thread() {
  thread_local JpegDecoder decoder;
  return decoder;
}

void fill_rows(cv::Mat& rgb, const cv::Rect& where, std::uint8_t value) {
  for (int row = where.y; row < where.y + where.height; ++row) {
    std::memset(rgb.ptr<std::uint8_t>(row) + 3 * where.x, value, 3 * static_cast<std::size_t>(where.width));
  }
}

/// The mean of shrink x shrink pixels, white beyond `used`.
void shrink_by_mean(const std::vector<std::uint8_t>& full, SizePx stored, SizePx used, int shrink, std::uint8_t* rgb,
                    std::ptrdiff_t row_bytes) {
  for (std::int64_t y = 0; y < stored.height / shrink; ++y) {
    for (std::int64_t x = 0; x < stored.width / shrink; ++x) {
      int sum[3] = {0, 0, 0};
      for (std::int64_t v = y * shrink; v < (y + 1) * shrink; ++v) {
        for (std::int64_t u = x * shrink; u < (x + 1) * shrink; ++u) {
          const bool inside = u < used.width && v < used.height;
          const auto* pixel = full.data() + 3 * (v * stored.width + u);
          for (int channel = 0; channel < 3; ++channel) sum[channel] += inside ? pixel[channel] : 255;
        }
      }
      const int area = shrink * shrink;
      for (int channel = 0; channel < 3; ++channel) {
        rgb[y * row_bytes + 3 * x + channel] = static_cast<std::uint8_t>((sum[channel] + area / 2) / area);
      }
    }
  }
}

}  // namespace

std::unique_ptr<DirectReader> DirectReader::open(std::shared_ptr<const TiffFile> file, const std::vector<SizePx>& levels,
                                                 std::string& declined) {
  std::vector<const TiffLevel*> found;
  for (const SizePx& size : levels) {
    const auto level = std::find_if(file->levels().begin(), file->levels().end(),
                                    [&](const TiffLevel& candidate) { return candidate.size == size; });
    const std::string which = "level " + std::to_string(found.size()) + " ";
    if (level == file->levels().end()) {
      declined = which + "is no tiled TIFF directory";
      return nullptr;
    }
    if (!level->not_jpeg.empty()) {
      declined = which + "cannot be read as JPEG tiles: " + level->not_jpeg;
      return nullptr;
    }
    found.push_back(&*level);
  }
  if (found.empty()) {
    declined = "no tiled TIFF directory";
    return nullptr;
  }
  return std::unique_ptr<DirectReader>(new DirectReader(std::move(file), std::move(found)));
}

DirectReader::DirectReader(std::shared_ptr<const TiffFile> file, std::vector<const TiffLevel*> levels)
    : file_(std::move(file)), levels_(std::move(levels)) {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const TiffLevel& level = *levels_[i];
    const auto downsample = level_downsample(levels_.front()->size, level.size);
    for (const int shrink : kShrinks) {
      if (level.tile.width % shrink != 0 || level.tile.height % shrink != 0) continue;
      sources_.push_back({i, shrink, {divide_up(level.size.width, shrink), divide_up(level.size.height, shrink)},
                          downsample.x * shrink, downsample.y * shrink});
    }
  }
  // Of two sources with one downsample the smaller shrink has less to decode, and comes last.
  std::stable_sort(sources_.begin(), sources_.end(), [](const PixelSource& a, const PixelSource& b) {
    return std::pair(a.downsample_x, -a.codec_shrink) < std::pair(b.downsample_x, -b.codec_shrink);
  });
}

std::string DirectReader::name() const { return "direct (libtiff, libjpeg-turbo)"; }

DirectReader::Tile DirectReader::tile_at(const PixelSource& source, std::int64_t column, std::int64_t row) const {
  const TiffLevel& level = level_of(source);
  const int shrink = source.codec_shrink;
  const std::int64_t inside_x = std::min(level.tile.width, level.size.width - column * level.tile.width);
  const std::int64_t inside_y = std::min(level.tile.height, level.size.height - row * level.tile.height);
  Tile tile;
  tile.index = row * level.tiles_across + column;
  tile.width = level.tile.width / shrink;
  tile.height = level.tile.height / shrink;
  tile.x = column * tile.width;
  tile.y = row * tile.height;
  tile.used_width = divide_up(inside_x, shrink);
  tile.used_height = divide_up(inside_y, shrink);
  tile.codec_shrinks = inside_x % shrink == 0 && inside_y % shrink == 0;
  return tile;
}

template <typename Visit>
void DirectReader::for_each_tile(const PixelSource& source, std::int64_t x, std::int64_t y, SizePx size,
                                 const Visit& visit) const {
  const TiffLevel& level = level_of(source);
  const std::int64_t tile_width = level.tile.width / source.codec_shrink;
  const std::int64_t tile_height = level.tile.height / source.codec_shrink;
  const std::int64_t left = std::clamp<std::int64_t>(x, 0, source.size.width);
  const std::int64_t top = std::clamp<std::int64_t>(y, 0, source.size.height);
  const std::int64_t right = std::clamp<std::int64_t>(x + size.width, 0, source.size.width);
  const std::int64_t bottom = std::clamp<std::int64_t>(y + size.height, 0, source.size.height);
  if (left >= right || top >= bottom) return;
  for (std::int64_t row = top / tile_height; row <= (bottom - 1) / tile_height; ++row) {
    for (std::int64_t column = left / tile_width; column <= (right - 1) / tile_width; ++column) visit(tile_at(source, column, row));
  }
}

bool DirectReader::decode(const PixelSource& source, const Tile& tile, std::uint8_t* rgb, std::ptrdiff_t row_bytes) const {
  if (!tile.codec_shrinks) return decode_then_shrink(source, tile, rgb, row_bytes);
  const TiffLevel& level = level_of(source);
  thread_local std::vector<std::uint8_t> bytes;
  if (!file_->read_tile_bytes(level, tile.index, bytes)) return false;
  const JpegTarget target{static_cast<int>(level.tile.width), static_cast<int>(level.tile.height), source.codec_shrink,
                          level.ycbcr, rgb, row_bytes};
  return decoder_of_this_thread().decode(level.jpeg_tables, bytes, target);
}

bool DirectReader::decode_then_shrink(const PixelSource& source, const Tile& tile, std::uint8_t* rgb,
                                      std::ptrdiff_t row_bytes) const {
  const TiffLevel& level = level_of(source);
  PixelSource whole = source;
  whole.codec_shrink = 1;
  Tile stored = tile;
  stored.codec_shrinks = true;
  std::vector<std::uint8_t> full(static_cast<std::size_t>(level.tile.width * level.tile.height * 3));
  if (!decode(whole, stored, full.data(), level.tile.width * 3)) return false;
  const SizePx used{std::min(level.tile.width, level.size.width - tile.x * source.codec_shrink),
                    std::min(level.tile.height, level.size.height - tile.y * source.codec_shrink)};
  shrink_by_mean(full, level.tile, used, source.codec_shrink, rgb, row_bytes);
  return true;
}

void DirectReader::fill(const PixelSource& source, const Tile& tile, StoredTile& stored) const {
  stored.rgb.resize(static_cast<std::size_t>(tile.width * tile.height * 3));
  stored.complete = decode(source, tile, stored.rgb.data(), tile.width * 3);
  if (!stored.complete) stored.rgb.clear();
}

ReadOutcome DirectReader::read(const PixelSource& source, std::int64_t x, std::int64_t y, cv::Mat& rgb, TileCache* cache) const {
  ReadOutcome outcome;
  const std::int64_t right = x + rgb.cols;
  const std::int64_t bottom = y + rgb.rows;
  if (x < 0 || y < 0 || right > source.size.width || bottom > source.size.height) rgb.setTo(cv::Scalar::all(255));
  thread_local StoredTile scratch;
  for_each_tile(source, x, y, {rgb.cols, rgb.rows}, [&](const Tile& tile) {
    const std::int64_t from_x = std::max(x, tile.x);
    const std::int64_t from_y = std::max(y, tile.y);
    const cv::Rect where(static_cast<int>(from_x - x), static_cast<int>(from_y - y),
                         static_cast<int>(std::min(right, tile.x + tile.used_width) - from_x),
                         static_cast<int>(std::min(bottom, tile.y + tile.used_height) - from_y));
    const bool whole = where.width == tile.width && where.height == tile.height;
    const auto key = key_of(source, tile.index);
    if (whole && (!cache || cache->take_sole_use(key))) {
      if (decode(source, tile, rgb.ptr<std::uint8_t>(where.y) + 3 * where.x, static_cast<std::ptrdiff_t>(rgb.step[0]))) return;
      fill_rows(rgb, where, 0);
      outcome.complete = false;
      return;
    }
    std::shared_ptr<const StoredTile> shared;
    if (cache) {
      shared = cache->use(key, [&](StoredTile& stored) { fill(source, tile, stored); });
    } else {
      fill(source, tile, scratch);
    }
    const StoredTile& stored = cache ? *shared : scratch;
    if (!stored.complete) {
      fill_rows(rgb, where, 0);
      outcome.complete = false;
      return;
    }
    for (int row = 0; row < where.height; ++row) {
      std::memcpy(rgb.ptr<std::uint8_t>(where.y + row) + 3 * where.x,
                  stored.rgb.data() + 3 * ((from_y - tile.y + row) * tile.width + from_x - tile.x),
                  3 * static_cast<std::size_t>(where.width));
    }
  });
  return outcome;
}

void DirectReader::announce(const PixelSource& source, std::int64_t x, std::int64_t y, SizePx size, TileCache& cache) const {
  for_each_tile(source, x, y, size, [&](const Tile& tile) { cache.announce(key_of(source, tile.index)); });
}

}  // namespace clmnet::wsi
