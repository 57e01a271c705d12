// A slide cut off at 200 places and with single bytes flipped at 1,000: an error or a counted tile, never a crash, a hang, or
// a wrong pixel outside the broken tile.
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "tests/fuzz/direct_reader_target.h"
#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/slide.h"
#include "wsi/tiff_file.h"

namespace clmnet::wsi {
namespace {

constexpr int kTilePx = 64;

class Damage : public testing::Test {
 protected:
  Damage() {
    TiffFixture fixture;
    fixture.width = 192;
    fixture.height = 128;
    fixture.tile = kTilePx;
    fixture.quality = 70;
    fixture.downsamples = {1, 4};
    write_tiff(path_, fixture);
    bytes_ = read_whole_file(path_);
    whole_ = Slide(path_).read_scaled({0, 0}, 1, 1, {192, 128});
  }

  void write(const std::string& bytes) const { std::ofstream(damaged_, std::ios::binary | std::ios::trunc) << bytes; }

  int read_directly(const std::string& bytes) const {
    return read_everything_directly(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }

  /// Reads all of the damaged slide, or nothing when it is refused with an error for users.
  std::optional<Region> read_damaged() const {
    try {
      const Slide slide(damaged_);
      auto region = slide.read_scaled({0, 0}, 1, 1, {192, 128});
      slide.read_scaled({-3, 5}, 2.3, 2.3, {90, 60});
      return region;
    } catch (const InputError& error) {
      EXPECT_GT(std::string(error.what()).size(), 20U);
      return std::nullopt;
    }
  }

  bool equal(const cv::Mat& rgb, const cv::Rect& where) const {
    for (int row = where.y; row < where.y + where.height; ++row) {
      const auto offset = 3 * where.x;
      if (!std::equal(rgb.ptr<std::uint8_t>(row) + offset, rgb.ptr<std::uint8_t>(row) + offset + 3 * where.width,
                      whole_.rgb.ptr<std::uint8_t>(row) + offset)) {
        return false;
      }
    }
    return true;
  }

  /// The tile of level 0 that owns a byte of the file; -1 for all others.
  std::int64_t owner_of(const TiffLevel& level, std::size_t at) const {
    for (std::size_t i = 0; i < level.offsets.size(); ++i) {
      if (at >= level.offsets[i] && at < level.offsets[i] + level.byte_counts[i]) return static_cast<std::int64_t>(i);
    }
    return -1;
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "whole.svs";
  const std::filesystem::path damaged_ = folder_ / "damaged.svs";
  std::string bytes_;
  Region whole_;
};

TEST_F(Damage, WholeSlideIsReadWhole) {
  EXPECT_TRUE(whole_.complete);
  EXPECT_GT(read_directly(bytes_), 0);
}

TEST_F(Damage, CutOffAt200Places) {
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string cut = bytes_.substr(0, bytes_.size() * i / 200);
    read_directly(cut);
    write(cut);
    const auto region = read_damaged();
    if (!region || !region->complete) continue;
    EXPECT_TRUE(equal(region->rgb, {0, 0, 192, 128})) << "cut at " << cut.size() << " of " << bytes_.size();
  }
}

TEST_F(Damage, OneByteFlippedAt1000Places) {
  const TiffFile file(path_);
  const TiffLevel& level = file.levels().front();
  std::mt19937 random(42);
  int refused = 0;
  int counted = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::size_t at = random() % bytes_.size();
    std::string flipped = bytes_;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 + random() % 255));
    read_directly(flipped);
    write(flipped);
    const auto region = read_damaged();
    refused += region ? 0 : 1;
    counted += region && !region->complete ? 1 : 0;
    const std::int64_t owner = owner_of(level, at);
    if (owner < 0) continue;
    ASSERT_TRUE(region) << "byte " << at << " of tile " << owner << " made the whole slide unreadable";
    for (std::int64_t tile = 0; tile < 6; ++tile) {
      if (tile == owner) continue;
      const cv::Rect where(static_cast<int>(tile % 3) * kTilePx, static_cast<int>(tile / 3) * kTilePx, kTilePx, kTilePx);
      EXPECT_TRUE(equal(region->rgb, where)) << "byte " << at << " of tile " << owner << " changed tile " << tile;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(counted, 0);
}

}  // namespace
}  // namespace clmnet::wsi
