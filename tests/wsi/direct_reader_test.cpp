#include "wsi/direct_reader.h"

#include <fstream>
#include <numeric>
#include <random>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/slide.h"

namespace clmnet::wsi {
namespace {

Slide open_with(const std::filesystem::path& path, ReaderKind reader) { return Slide(path, {UmPerPx{0.5, 0.5}, reader}); }

struct Difference {
  double mean = 0;
  int largest = 0;
};

Difference difference(const cv::Mat& a, const cv::Mat& b) {
  EXPECT_EQ(a.size(), b.size());
  Difference found;
  for (int row = 0; row < a.rows; ++row) {
    for (int i = 0; i < a.cols * 3; ++i) {
      const int step = std::abs(a.ptr<std::uint8_t>(row)[i] - b.ptr<std::uint8_t>(row)[i]);
      found.mean += step;
      found.largest = std::max(found.largest, step);
    }
  }
  found.mean /= a.rows * a.cols * 3.0;
  return found;
}

/// Random regions of every stored level, many off the tiles' grid and over the edges: the two readers give equal bytes.
void expect_equal_at_every_level(const std::filesystem::path& path) {
  const Slide ours = open_with(path, ReaderKind::direct);
  const Slide theirs = open_with(path, ReaderKind::openslide);
  std::mt19937 random(7);
  for (const auto& level : ours.info().levels) {
    const auto k = static_cast<std::int64_t>(level.downsample_x);
    ASSERT_EQ(static_cast<double>(k), level.downsample_x);
    for (int trial = 0; trial < 12; ++trial) {
      const auto pick = [&](std::int64_t limit) { return std::uniform_int_distribution<std::int64_t>(-150, limit)(random); };
      Level0Px origin{pick(level.size.width) * k, pick(level.size.height) * k};
      if (trial == 0) origin = {0, 0};
      const auto a = ours.read_scaled(origin, level.downsample_x, level.downsample_y, {300, 270});
      const auto b = theirs.read_scaled(origin, level.downsample_x, level.downsample_y, {300, 270});
      EXPECT_TRUE(a.complete && b.complete);
      EXPECT_EQ(difference(a.rgb, b.rgb).largest, 0) << path << " downsample " << k << " at " << origin.x << ", " << origin.y;
    }
  }
}

void expect_close_between_levels(const std::filesystem::path& path) {
  const Slide ours = open_with(path, ReaderKind::direct);
  const Slide theirs = open_with(path, ReaderKind::openslide);
  std::mt19937 random(11);
  const auto extent = ours.extent();
  for (const double downsample : {1.27, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 11.3}) {
    for (int trial = 0; trial < 4; ++trial) {
      const auto pick = [&](std::int64_t limit) { return std::uniform_int_distribution<std::int64_t>(-100, limit)(random); };
      const Level0Px origin{pick(extent.width), pick(extent.height)};
      const auto a = ours.read_scaled(origin, downsample, downsample, {180, 150});
      const auto b = theirs.read_scaled(origin, downsample, downsample, {180, 150});
      EXPECT_LE(difference(a.rgb, b.rgb).mean, 2.0) << path << " downsample " << downsample << " at " << origin.x << ", " << origin.y;
    }
  }
}

struct Variant {
  const char* name;
  bool ycbcr;
  int subsample_x, subsample_y;
  bool big_tiff, jpeg_tables;
  int tile;
};

class EveryKindOfTile : public testing::TestWithParam<Variant> {};

TEST_P(EveryKindOfTile, EqualsOpenSlide) {
  const auto& variant = GetParam();
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.width = 1004;  // whole at 1/4: OpenSlide places a level of 250 px for 1003 at 1003 / 250, we at 4
  fixture.height = 708;
  fixture.ycbcr = variant.ycbcr;
  fixture.subsample_x = variant.subsample_x;
  fixture.subsample_y = variant.subsample_y;
  fixture.big_tiff = variant.big_tiff;
  fixture.jpeg_tables = variant.jpeg_tables;
  fixture.tile = variant.tile;
  fixture.downsamples = {1, 4};
  for (const std::string description : {"Aperio Image Library v1\n1004x708|MPP = 0.5", "plain"}) {
    fixture.description = description;
    write_tiff(folder / "slide.tiff", fixture);
    expect_equal_at_every_level(folder / "slide.tiff");
  }
  expect_close_between_levels(folder / "slide.tiff");
}

INSTANTIATE_TEST_SUITE_P(Direct, EveryKindOfTile,
                         testing::Values(Variant{"ycbcr420", true, 2, 2, false, true, 256}, Variant{"ycbcr422", true, 2, 1, false, true, 256},
                                         Variant{"ycbcr444", true, 1, 1, false, true, 256}, Variant{"rgb", false, 1, 1, false, true, 256},
                                         Variant{"bigtiff", true, 2, 2, true, true, 256}, Variant{"noTables", true, 2, 2, false, false, 256},
                                         Variant{"tile240", true, 2, 2, false, true, 240}, Variant{"tile48", true, 2, 2, false, true, 48},
                                         Variant{"tile512", true, 2, 2, true, false, 512}),
                         [](const auto& variant) { return std::string(variant.param.name); });

TEST(DirectShared, CmuEqualsOpenSlide) {
  CLMNET_SHARED_SLIDE(slide, "CMU-1-Small-Region.svs");
  expect_equal_at_every_level(slide);
  expect_close_between_levels(slide);
}

TEST(DirectShared, PolypEqualsOpenSlide) {
  CLMNET_SHARED_SLIDE(slide, "polyp-20x.svs");
  expect_equal_at_every_level(slide);
  expect_close_between_levels(slide);
}

std::string refusal(const std::filesystem::path& path) {
  try {
    open_with(path, ReaderKind::direct);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(DirectDeclines, Jpeg2000) {
  CLMNET_SHARED_SLIDE(slide, "tcga-cr-7395-01a-01-ts1.svs");
  EXPECT_NE(refusal(slide).find("compression is 33005, not JPEG (7)"), std::string::npos) << refusal(slide);
  EXPECT_EQ(open_with(slide, ReaderKind::automatic).info().reader.substr(0, 9), "OpenSlide");
}

TEST(DirectDeclines, Mirax) {
  CLMNET_SHARED_SLIDE(slide, "mirax/Mirax2-Fluorescence-2.mrxs");
  EXPECT_NE(refusal(slide).find("mirax is not read directly"), std::string::npos) << refusal(slide);
}

TEST(DirectDeclines, Lzw) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.jpeg = false;
  write_tiff(folder / "lzw.svs", fixture);
  EXPECT_NE(refusal(folder / "lzw.svs").find("compression is 5"), std::string::npos) << refusal(folder / "lzw.svs");
}

/// Where a little-endian classic TIFF of one directory keeps the value of a tag's entry.
std::size_t entry_of(const std::string& bytes, int wanted) {
  const auto number = [&](std::size_t at, int length) {
    std::size_t value = 0;
    for (int i = length - 1; i >= 0; --i) value = value * 256 + static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)));
    return value;
  };
  const std::size_t directory = number(4, 4);
  for (std::size_t i = 0; i < number(directory, 2); ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number(entry, 2) == static_cast<std::size_t>(wanted)) return number(entry + 8, 4);
  }
  ADD_FAILURE() << "no tag " << wanted;
  return 0;
}

/// A slide of one colour, 640 x 448 in tiles of 64, whose bytes the test then damages; tile 23 lies at (192, 128).
class DamagedSlide : public testing::Test {
 protected:
  void SetUp() override {
    TiffFixture fixture;
    fixture.width = 640;
    fixture.height = 448;
    fixture.downsamples = {1, 4};  // OpenSlide reads all of the last level when it opens a slide
    write_tiff(path_, fixture);
    bytes_ = read_whole_file(path_);
    whole_ = open_with(path_, ReaderKind::direct).read_scaled({0, 0}, 1, 1, {640, 448}).rgb;
  }
  void put(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes_[at + i] = static_cast<char>(value >> (8 * i));
  }
  /// Exactly the tile is incomplete and black; all other pixels are as before.
  void expect_only_tile_23_is_lost(ReaderKind reader) {
    std::ofstream(path_, std::ios::binary) << bytes_;
    const Slide slide = open_with(path_, reader);
    EXPECT_TRUE(slide.read_scaled({0, 0}, 1, 1, {640, 128}).complete);
    EXPECT_TRUE(slide.read_scaled({256, 128}, 1, 1, {64, 64}).complete);
    const auto lost = slide.read_scaled({192, 128}, 1, 1, {64, 64});
    EXPECT_FALSE(lost.complete);
    EXPECT_EQ(cv::countNonZero(lost.rgb.reshape(1)), 0);
    const auto after = slide.read_scaled({0, 192}, 1, 1, {640, 256});
    EXPECT_TRUE(after.complete);
    EXPECT_EQ(difference(after.rgb, whole_(cv::Rect(0, 192, 640, 256))).largest, 0);
    EXPECT_FALSE(slide.read_scaled({0, 0}, 2, 2, {320, 224}).complete);
    EXPECT_FALSE(slide.read_scaled({0, 0}, 3.1, 3.1, {200, 140}).complete);
  }
  static constexpr std::size_t kTile = 23;
  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "slide.svs";
  std::string bytes_;
  cv::Mat whole_;
};

TEST_F(DamagedSlide, TileWithoutBytes) {
  put(entry_of(bytes_, 325) + 4 * kTile, 0);
  expect_only_tile_23_is_lost(ReaderKind::direct);
  expect_only_tile_23_is_lost(ReaderKind::openslide);
}

TEST_F(DamagedSlide, TileBeyondTheEnd) {
  put(entry_of(bytes_, 324) + 4 * kTile, 0x7fffff00);
  expect_only_tile_23_is_lost(ReaderKind::direct);
  expect_only_tile_23_is_lost(ReaderKind::openslide);
}

TEST_F(DamagedSlide, TileOfFourGigabytes) {
  put(entry_of(bytes_, 325) + 4 * kTile, 0xfffffff0);
  expect_only_tile_23_is_lost(ReaderKind::direct);
}

TEST_F(DamagedSlide, TileFullOfZeros) {
  const auto count_at = entry_of(bytes_, 325) + 4 * kTile;
  const auto offset_at = entry_of(bytes_, 324) + 4 * kTile;
  std::size_t offset = 0;
  std::size_t count = 0;
  for (std::size_t i = 4; i-- > 0;) {
    offset = offset * 256 + static_cast<unsigned char>(bytes_[offset_at + i]);
    count = count * 256 + static_cast<unsigned char>(bytes_[count_at + i]);
  }
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, '\0');
  expect_only_tile_23_is_lost(ReaderKind::direct);
  expect_only_tile_23_is_lost(ReaderKind::openslide);
}

TEST_F(DamagedSlide, TileCutInTheMiddle) {
  const auto count_at = entry_of(bytes_, 325) + 4 * kTile;
  put(count_at, 200);
  expect_only_tile_23_is_lost(ReaderKind::direct);
}

TEST_F(DamagedSlide, ManyTilesBeyondTheEndAreATruncatedFile) {
  for (std::size_t tile = 50; tile < 60; ++tile) put(entry_of(bytes_, 324) + 4 * tile, 0x7fffff00);
  std::ofstream(path_, std::ios::binary) << bytes_;
  for (const auto reader : {ReaderKind::automatic, ReaderKind::direct, ReaderKind::openslide}) {
    try {
      open_with(path_, reader);
      FAIL() << "a truncated slide was opened";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("slide.svs: truncated: 10 of 76 stored tiles"), std::string::npos) << error.what();
    }
  }
}

TEST_F(DamagedSlide, DirectoryClaimsAnotherSize) {
  const TemporaryFolder folder;
  for (const int tag : {256, 257}) {
    std::string changed = bytes_;
    const auto number = [&](std::size_t at) { return static_cast<unsigned char>(changed[at]) + 256U * static_cast<unsigned char>(changed[at + 1]); };
    const std::size_t directory = number(4) + 65536U * number(6);
    for (std::size_t i = 0; i < number(directory); ++i) {
      const std::size_t entry = directory + 2 + 12 * i;
      if (number(entry) != static_cast<unsigned>(tag)) continue;
      changed[entry + 2] = 4;  // LONG
      for (std::size_t byte = 0; byte < 4; ++byte) changed[entry + 8 + byte] = static_cast<char>(byte == 3 ? 0x7f : 0xff);
    }
    std::ofstream(folder / "huge.svs", std::ios::binary) << changed;
    EXPECT_THROW(open_with(folder / "huge.svs", ReaderKind::direct), InputError) << tag;
  }
}

}  // namespace
}  // namespace clmnet::wsi
