#include "wsi/slide_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include <opencv2/imgproc.hpp>
#include <tbb/parallel_for.h>
#include <turbojpeg.h>

#include "wsi/tiff_writer.h"

namespace clmnet::wsi {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes encode_jpeg(const cv::Mat& rgb, const TiffSlideOptions& options) {
  const std::unique_ptr<void, decltype(&tjDestroy)> encoder(tjInitCompress(), tjDestroy);
  const int sampling = options.subsample_chroma ? TJSAMP_420 : TJSAMP_444;
  Bytes bytes(tjBufSize(rgb.cols, rgb.rows, sampling));
  unsigned char* out = bytes.data();
  unsigned long size = bytes.size();
  if (encoder == nullptr || tjCompress2(encoder.get(), rgb.data, rgb.cols, static_cast<int>(rgb.step), rgb.rows, TJPF_RGB, &out, &size,
                                        sampling, options.jpeg_quality, TJFLAG_NOREALLOC) != 0) {
    throw std::runtime_error("write_tiff_slide: libjpeg-turbo cannot encode a tile");
  }
  bytes.resize(size);
  return bytes;
}

/// One level while it is written: the row of tiles that is being filled from the level below.
struct Level {
  SizePx size;
  int factor = 1;                  // px of the level below per px of this one
  std::int64_t tiles_across = 0, tiles_down = 0;
  cv::Mat row;                     // tiles_across * tile_px by tile_px
  std::int64_t next_row = 0;       // tile row that `row` becomes
  int filled_rows = 0;             // px rows of `row` that came from below
  std::vector<Bytes> tiles;        // compressed, row by row; empty for level 0, which goes straight to the file
};

class PyramidWriter {
 public:
  PyramidWriter(const std::filesystem::path& path, SizePx extent, const TiffSlideOptions& options)
      : options_(options), writer_(path, extent.width * extent.height > (std::int64_t{1} << 31)) {
    int before = 1;
    for (const int downsample : options.downsamples) {
      Level level;
      level.size = {std::max<std::int64_t>(1, extent.width / downsample), std::max<std::int64_t>(1, extent.height / downsample)};
      level.factor = downsample / before;
      level.tiles_across = (level.size.width + options.tile_px - 1) / options.tile_px;
      level.tiles_down = (level.size.height + options.tile_px - 1) / options.tile_px;
      level.row = cv::Mat(options.tile_px, static_cast<int>(level.tiles_across) * options.tile_px, CV_8UC3, cv::Scalar(255, 255, 255));
      levels_.push_back(std::move(level));
      before = downsample;
    }
  }

  void write(const TilePainter& paint) {
    writer_.begin(page(0));
    Level& base = levels_[0];
    for (std::int64_t row = 0; row < base.tiles_down; ++row) {
      tbb::parallel_for(std::int64_t{0}, base.tiles_across, [&](std::int64_t column) {
        cv::Mat tile = base.row.colRange(tile_columns(column));
        paint({column * options_.tile_px, row * options_.tile_px}, tile);
      });
      finish_row(0);
    }
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      if (levels_[i].filled_rows > 0) finish_row(i);
    }
    writer_.end();
    for (std::size_t i = 1; i < levels_.size(); ++i) write_stored(i);
    writer_.commit();
  }

 private:
  cv::Range tile_columns(std::int64_t column) const {
    return {static_cast<int>(column) * options_.tile_px, static_cast<int>(column + 1) * options_.tile_px};
  }

  TiffPage page(std::size_t level) const {
    const SizePx full = levels_[0].size, size = levels_[level].size;
    TiffPage page;
    page.size = size;
    page.tile_px = options_.tile_px;
    page.jpeg = true;
    page.jpeg_subsampling = options_.subsample_chroma ? 2 : 1;
    page.reduced = level > 0 && !options_.aperio;
    if (options_.aperio) {
      char text[256];
      const auto w = static_cast<long long>(full.width), h = static_cast<long long>(full.height);
      int n = std::snprintf(text, sizeof text, "Aperio Image Library v11.2.1\r\n%lldx%lld [0,0 %lldx%lld] (%dx%d)", w, h, w, h,
                            options_.tile_px, options_.tile_px);
      if (level > 0) {
        n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), " -> %lldx%lld", static_cast<long long>(size.width),
                           static_cast<long long>(size.height));
      }
      n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), " JPEG/RGB Q=%d", options_.jpeg_quality);
      if (level == 0) {
        std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), "|AppMag = %g|MPP = %.6g", options_.objective_power,
                      options_.um_per_px.x);
      }
      page.description = text;
    } else {
      page.um_per_px = UmPerPx{options_.um_per_px.x * static_cast<double>(full.width) / static_cast<double>(size.width),
                               options_.um_per_px.y * static_cast<double>(full.height) / static_cast<double>(size.height)};
    }
    return page;
  }

  /// Compresses the row of tiles that is full, and passes its pixels on to the next level.
  void finish_row(std::size_t index) {
    Level& level = levels_[index];
    std::vector<Bytes> coded(static_cast<std::size_t>(level.tiles_across));
    tbb::parallel_for(std::int64_t{0}, level.tiles_across, [&](std::int64_t column) {
      coded[static_cast<std::size_t>(column)] = encode_jpeg(level.row.colRange(tile_columns(column)), options_);
    });
    for (std::int64_t column = 0; column < level.tiles_across; ++column) {
      Bytes& bytes = coded[static_cast<std::size_t>(column)];
      if (index == 0) writer_.write_tile(column, level.next_row, bytes.data(), bytes.size());
      if (index != 0) level.tiles.push_back(std::move(bytes));
    }
    ++level.next_row;
    if (index + 1 < levels_.size()) pass_on(level, levels_[index + 1], index + 1);
    level.row.setTo(cv::Scalar(255, 255, 255));
    level.filled_rows = 0;
  }

  void pass_on(const Level& from, Level& to, std::size_t to_index) {
    if (to.next_row >= to.tiles_down) return;
    cv::Mat small;
    cv::resize(from.row, small, {from.row.cols / to.factor, from.row.rows / to.factor}, 0, 0, cv::INTER_AREA);
    const int columns = std::min(small.cols, to.row.cols);
    small.colRange(0, columns).copyTo(to.row(cv::Rect(0, to.filled_rows, columns, small.rows)));
    to.filled_rows += small.rows;
    if (to.filled_rows == options_.tile_px) finish_row(to_index);
  }

  void write_stored(std::size_t index) {
    const Level& level = levels_[index];
    writer_.begin(page(index));
    for (std::size_t i = 0; i < level.tiles.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      writer_.write_tile(at % level.tiles_across, at / level.tiles_across, level.tiles[i].data(), level.tiles[i].size());
    }
    writer_.end();
  }

  TiffSlideOptions options_;
  TiffWriter writer_;
  std::vector<Level> levels_;
};

void check(SizePx extent, const TiffSlideOptions& options) {
  if (extent.width < 1 || extent.height < 1) throw std::invalid_argument("write_tiff_slide: the slide is empty");
  if (options.tile_px < 16 || options.tile_px % 16 != 0) throw std::invalid_argument("write_tiff_slide: tile_px is not a multiple of 16");
  if (!(options.um_per_px.x > 0) || !(options.um_per_px.y > 0)) throw std::invalid_argument("write_tiff_slide: um_per_px is not positive");
  if (options.jpeg_quality < 1 || options.jpeg_quality > 100) throw std::invalid_argument("write_tiff_slide: jpeg_quality is not 1 to 100");
  bool good = !options.downsamples.empty() && options.downsamples[0] == 1;
  for (std::size_t i = 1; good && i < options.downsamples.size(); ++i) {
    const int before = options.downsamples[i - 1], factor = options.downsamples[i] / std::max(1, before);
    good = factor > 1 && factor * before == options.downsamples[i] && (factor & (factor - 1)) == 0 && factor <= options.tile_px;
  }
  if (!good) throw std::invalid_argument("write_tiff_slide: downsamples are not 1 and then powers of two that grow");
}

}  // namespace

void write_tiff_slide(const std::filesystem::path& path, SizePx extent, const TilePainter& paint, const TiffSlideOptions& options) {
  check(extent, options);
  PyramidWriter(path, extent, options).write(paint);
}

void write_tiff_slide(const std::filesystem::path& path, const cv::Mat& rgb, const TiffSlideOptions& options) {
  if (rgb.empty() || rgb.type() != CV_8UC3) throw std::invalid_argument("write_tiff_slide: not an RGB picture");
  const cv::Rect whole(0, 0, rgb.cols, rgb.rows);
  const TilePainter paint = [&](Level0Px origin, cv::Mat& tile) {
    tile.setTo(cv::Scalar(255, 255, 255));
    const cv::Rect at(static_cast<int>(origin.x), static_cast<int>(origin.y), tile.cols, tile.rows);
    const cv::Rect inside = at & whole;
    rgb(inside).copyTo(tile(cv::Rect(0, 0, inside.width, inside.height)));
  };
  write_tiff_slide(path, {rgb.cols, rgb.rows}, paint, options);
}

}  // namespace clmnet::wsi
