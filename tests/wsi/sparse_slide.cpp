#include "tests/wsi/sparse_slide.h"

#include <fstream>
#include <stdexcept>
#include <string>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

constexpr std::int64_t kTile = 256;
constexpr std::int64_t kKinds = 5;

struct Entry {
  std::uint16_t tag, type;
  std::uint64_t count, value;
};

/// Little-endian bytes of a BigTIFF, with what is known of where they lie.
class TiffBytes {
 public:
  std::uint64_t at() const { return bytes_.size(); }
  void put(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void put(const std::string& text) { bytes_ += text; }
  void patch(std::uint64_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i) bytes_[at + i] = static_cast<char>(value >> (8 * i));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

constexpr std::uint16_t kShort = 3, kLong = 4, kLong8 = 16, kAscii = 2;

/// Appends a directory; returns where the place of the next one is kept.
std::uint64_t put_directory(TiffBytes& out, std::uint64_t link, std::int64_t side, bool reduced,
                            const std::vector<std::pair<std::uint64_t, std::uint64_t>>& stored, const std::string& description) {
  const std::int64_t across = (side + kTile - 1) / kTile, tiles = across * across;
  const std::uint64_t offsets = out.at();
  for (std::int64_t i = 0; i < tiles; ++i) out.put(stored[static_cast<std::size_t>(i % kKinds)].first, 8);
  const std::uint64_t counts = out.at();
  for (std::int64_t i = 0; i < tiles; ++i) out.put(stored[static_cast<std::size_t>(i % kKinds)].second, 4);
  const std::uint64_t text = out.at();
  out.put(description + '\0');
  const auto n = static_cast<std::uint64_t>(tiles);
  const auto px = static_cast<std::uint64_t>(side);
  const std::vector<Entry> entries{{254, kLong, 1, reduced ? 1ULL : 0ULL}, {256, kLong, 1, px}, {257, kLong, 1, px},
                                   {258, kShort, 3, 0x000800080008ULL}, {259, kShort, 1, 7}, {262, kShort, 1, 6},
                                   {270, kAscii, description.size() + 1, text}, {277, kShort, 1, 3}, {284, kShort, 1, 1},
                                   {322, kLong, 1, kTile}, {323, kLong, 1, kTile}, {324, kLong8, n, offsets},
                                   {325, kLong, n, counts}, {530, kShort, 2, 0x00020002ULL}};
  const std::uint64_t directory = out.at();
  out.patch(link, directory);
  out.put(entries.size(), 8);
  for (const auto& entry : entries) {
    out.put(entry.tag, 2);
    out.put(entry.type, 2);
    out.put(entry.count, 8);
    out.put(entry.value, 8);
  }
  const std::uint64_t next = out.at();
  out.put(0, 8);
  return next;
}

}  // namespace

std::vector<std::uint8_t> sparse_tile_rgb(std::int64_t index) {
  std::vector<std::uint8_t> rgb;
  const int offset = static_cast<int>(index % kKinds) * 300;
  for (int y = 0; y < kTile; ++y) {
    for (int x = 0; x < kTile; ++x) {
      const Rgb pixel = tissue_like(x + offset, y);
      rgb.insert(rgb.end(), {pixel.r, pixel.g, pixel.b});
    }
  }
  return rgb;
}

void write_sparse_slide(const std::filesystem::path& path, std::int64_t side_px) {
  TiffBytes out;
  out.put("II");
  out.put(43, 2);
  out.put(8, 2);
  out.put(0, 2);
  std::uint64_t link = out.at();
  out.put(0, 8);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> stored;
  for (std::int64_t kind = 0; kind < kKinds; ++kind) {
    auto rgb = sparse_tile_rgb(kind);
    cv::Mat bgr;
    cv::cvtColor(cv::Mat(kTile, kTile, CV_8UC3, rgb.data()), bgr, cv::COLOR_RGB2BGR);
    const auto jpeg = encode_picture(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 85});
    stored.emplace_back(out.at(), jpeg.size());
    out.put(std::string(jpeg.begin(), jpeg.end()));
  }
  const std::string side = std::to_string(side_px);
  const std::string description = "Aperio Image Library v1\n" + side + "x" + side + " (256x256) JPEG/RGB|AppMag = 20|MPP = 0.5000";
  for (const std::int64_t k : {1, 4, 16}) link = put_directory(out, link, side_px / k, k > 1, stored, description);
  std::ofstream file(path, std::ios::binary);
  file << out.bytes();
  if (!file.flush()) throw std::runtime_error("the sparse slide cannot be written");
}

}  // namespace clmnet::wsi
