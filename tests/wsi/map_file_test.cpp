#include "wsi/map_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/heatmap.h"
#include "wsi/tiff_writer.h"

namespace clmnet::wsi {
namespace {

ProbabilityMap pattern(int width, int height) {
  ProbabilityMap map;
  map.geometry = fit_map({width * 16, height * 16}, {0.5, 0.5}, 8);
  map.probability = {cv::Mat(height, width, CV_32F)};
  map.valid = cv::Mat(height, width, CV_8U, cv::Scalar(255));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) map.probability[0].at<float>(y, x) = static_cast<float>((x * 3 + y * 7) % 255) / 254;
  }
  map.valid(cv::Rect(0, 0, 10, height)) = 0;
  return map;
}

void write_pages(const std::filesystem::path& path, const std::vector<TiffPage>& pages) {
  TiffWriter writer(path, false);
  for (const auto& page : pages) {
    writer.begin(page);
    const std::string tile(static_cast<std::size_t>(page.tile_px) * static_cast<std::size_t>(page.tile_px * page.channels), '\1');
    for (std::int64_t row = 0; row < tiles_over(page.size.height, page.tile_px); ++row) {
      for (std::int64_t column = 0; column < tiles_over(page.size.width, page.tile_px); ++column) {
        writer.write_tile(column, row, tile.data(), tile.size());
      }
    }
    writer.end();
  }
  writer.commit();
}

TiffPage grey(std::int64_t width, std::int64_t height, int tile_px = 64) {
  TiffPage page;
  page.size = {width, height};
  page.channels = 1;
  page.tile_px = tile_px;
  return page;
}

std::string error_of(const std::filesystem::path& path) {
  try {
    const MapFile map(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(MapFile, GivesBackWhatWriteHeatmapWrote) {
  const TemporaryFolder folder;
  const auto map = pattern(300, 130);
  write_heatmap(folder / "heatmap.tiff", map, {.tile_px = 64});
  const MapFile file(folder / "heatmap.tiff");
  ASSERT_EQ(file.levels().size(), 4U);
  EXPECT_EQ(file.levels()[0], (SizePx{300, 130}));
  EXPECT_EQ(file.levels()[3], (SizePx{38, 17}));
  const auto code = encode_probability(map, 0);
  for (int y = 0; y < 130; y += 3) {
    for (int x = 0; x < 300; x += 3) {
      const auto tile = file.read_tile(0, x / 64, y / 64);
      ASSERT_EQ(tile[static_cast<std::size_t>(y % 64 * 64 + x % 64)], code.at<uchar>(y, x)) << x << ' ' << y;
    }
  }
}

TEST(MapFile, BeyondTheMapIsNoData) {
  const TemporaryFolder folder;
  write_heatmap(folder / "heatmap.tiff", pattern(70, 70), {.tile_px = 64});
  const auto tile = MapFile(folder / "heatmap.tiff").read_tile(0, 1, 1);
  EXPECT_NE(tile[5 * 64 + 5], 0);
  EXPECT_EQ(tile[5 * 64 + 6], 0);
  EXPECT_EQ(tile[6 * 64 + 5], 0);
}

TEST(MapFile, NoSuchTile) {
  const TemporaryFolder folder;
  write_heatmap(folder / "heatmap.tiff", pattern(70, 70), {.tile_px = 64});
  const MapFile file(folder / "heatmap.tiff");
  EXPECT_THROW(file.read_tile(0, 2, 0), std::invalid_argument);
  EXPECT_THROW(file.read_tile(0, 0, 2), std::invalid_argument);
  EXPECT_THROW(file.read_tile(0, -1, 0), std::invalid_argument);
  EXPECT_THROW(file.read_tile(2, 0, 0), std::invalid_argument);
}

TEST(MapFile, OtherFilesAreNamedErrors) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of(folder / "missing.tiff").find("no TIFF"), std::string::npos);
  write_atomically(folder / "text.tiff", "II*\0 but not a TIFF");
  EXPECT_NE(error_of(folder / "text.tiff").find("no TIFF"), std::string::npos);
  TiffPage rgb = grey(70, 70);
  rgb.channels = 3;
  write_pages(folder / "rgb.tiff", {rgb});
  EXPECT_NE(error_of(folder / "rgb.tiff").find("3 channels of 8 bits"), std::string::npos);
  write_pages(folder / "third.tiff", {grey(90, 90), grey(30, 30)});
  EXPECT_NE(error_of(folder / "third.tiff").find("level 1 is not half"), std::string::npos);
  write_pages(folder / "tiles.tiff", {grey(100, 100), grey(50, 50, 32)});
  EXPECT_NE(error_of(folder / "tiles.tiff").find("level 1 is not half"), std::string::npos);
}

TEST(MapFile, DamagedTileIsAnErrorNotData) {
  const TemporaryFolder folder;
  write_heatmap(folder / "heatmap.tiff", pattern(60, 60), {.tile_px = 64});
  {
    std::fstream file(folder / "heatmap.tiff", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8);  // the first tile's bytes follow the header
    file << std::string(200, '\xff');
  }
  const MapFile map(folder / "heatmap.tiff");
  EXPECT_THROW(map.read_tile(0, 0, 0), InputError);
}

TEST(MapFile, CutOffFileIsAnError) {
  const TemporaryFolder folder;
  write_heatmap(folder / "heatmap.tiff", pattern(60, 60), {.tile_px = 64});
  const auto bytes = std::filesystem::file_size(folder / "heatmap.tiff");
  for (const auto keep : {bytes / 2, std::uintmax_t{9}}) {
    std::filesystem::copy_file(folder / "heatmap.tiff", folder / "cut.tiff", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(folder / "cut.tiff", keep);
    EXPECT_NE(error_of(folder / "cut.tiff"), "no error") << keep;
  }
}

}  // namespace
}  // namespace clmnet::wsi
