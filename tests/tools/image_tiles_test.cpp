#include "tools/image_tiles.h"

#include <fstream>

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/base/temporary_folder.h"
#include "tools/annotated_slides.h"
#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
constexpr int kTile = 32;

/// Tiles of 32 px at 1 µm/px of images of 100 x 70 px at 0.5 µm/px: 50 x 35 px, two columns and two rows.
class ImageTiles : public testing::Test {
 protected:
  ImageTiles() {
    options_.grid.um_per_px = {1, 1};
    options_.grid.tile_px = options_.grid.stride_px = kTile;
    // Red tells the column, green the row, each two source px wide and so constant over a px of the tile.
    cv::Mat picture(70, 100, CV_8UC3), mask(70, 100, CV_8U, cv::Scalar(0));
    for (int y = 0; y < 70; ++y) {
      for (int x = 0; x < 100; ++x) picture.at<cv::Vec3b>(y, x) = {7, static_cast<unsigned char>(2 * (y / 2)), static_cast<unsigned char>(2 * (x / 2))};
    }
    mask(cv::Rect(0, 0, 30, 30)) = 255;
    write("a.png", picture);
    write("mask.png", mask);
  }

  void write(const std::string& name, const cv::Mat& picture) {
    const auto bytes = wsi::encode_picture(".png", picture);
    std::ofstream(folder_ / name, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::vector<nets::ManifestRow> read(const std::string& text) {
    std::ofstream(folder_ / "list.csv") << text;
    return ManifestReader(options_).read({folder_ / "list.csv"}, 2, [&](const std::string& line) { notes_.push_back(line); });
  }
  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder_;
  AnnotatedSlideOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(ImageTiles, CoverTheImageAtTheTilesResolution) {
  const auto rows = read("image,patient_id,diagnosis,tumour,um_per_px\na.png,P1,x,1,0.5\n");
  ASSERT_EQ(rows.size(), 4U);
  const auto load = ManifestReader(options_).loader();
  const int left[] = {0, 18, 0, 18}, top[] = {0, 0, 3, 3};
  for (std::size_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(rows[i].image, (folder_ / "a.png").string() + "@" + std::to_string(left[i]) + "_" + std::to_string(top[i]));
    EXPECT_EQ(rows[i].patient, "P1");
    EXPECT_EQ(rows[i].label, 1);
    const nets::LabelledImage tile = load(rows[i]);
    ASSERT_EQ(tile.rgb.sizes(), (std::vector<std::int64_t>{kTile, kTile, 3}));
    EXPECT_FALSE(tile.mask.defined());
    for (const auto& [y, x] : {std::pair{0, 0}, {31, 31}, {5, 20}}) {
      EXPECT_EQ(tile.rgb[y][x][0].item<int>(), 2 * (left[i] + x));
      EXPECT_EQ(tile.rgb[y][x][1].item<int>(), 2 * (top[i] + y));
      EXPECT_EQ(tile.rgb[y][x][2].item<int>(), 7);
    }
  }
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_EQ(notes_[0], "1 images with um_per_px: 4 tiles at 1 µm/px");
}

TEST_F(ImageTiles, StandCloserWhereTheStrideSaysSo) {
  options_.grid.stride_px = 10;
  const auto rows = read("image,tumour,um_per_px\na.png,0,0.5\n");
  // 18 px of room take two steps of 9, 3 px one.
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[1].cut->x, 9);
  EXPECT_EQ(rows[2].cut->x, 18);
}

// 25 x 18 px at 1 µm/px, each of them four by four of the picture's; 3 px to the left and 4 to the right of them, 7 above and below.
TEST_F(ImageTiles, AnImageSmallerThanATileIsMirroredAtItsEdges) {
  const auto rows = read("image,mask,tumour,um_per_px\na.png,mask.png,1,0.25\n");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].label, 1);
  const nets::LabelledImage tile = ManifestReader(options_).loader()(rows[0]);
  ASSERT_EQ(tile.rgb.sizes(), (std::vector<std::int64_t>{kTile, kTile, 3}));
  ASSERT_EQ(tile.mask.sizes(), (std::vector<std::int64_t>{kTile, kTile}));
  const auto inside = [](int i, int before, int size) {
    const int at = i - before;
    return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
  };
  for (int y = 0; y < kTile; ++y) {
    for (int x = 0; x < kTile; ++x) {
      const int column = inside(x, 3, 25), row = inside(y, 7, 18);
      ASSERT_EQ(tile.rgb[y][x][0].item<int>(), tile.rgb[row + 7][column + 3][0].item<int>()) << x << ' ' << y;
      ASSERT_NEAR(tile.rgb[y][x][0].item<int>(), 4 * column + 1, 1) << x << ' ' << y;
      ASSERT_EQ(tile.mask[y][x].item<int>(), tile.mask[row + 7][column + 3].item<int>()) << x << ' ' << y;
    }
  }
  EXPECT_EQ(tile.mask[7][3].item<int>(), 1);
  EXPECT_EQ(tile.mask[7 + 12][3 + 12].item<int>(), 0);
}

// The lesion covers 15 x 15 px of the first tile, 15 x 12 of the one below and none of the others.
TEST_F(ImageTiles, HaveTheClassOfTheirPartOfTheMask) {
  const auto rows = read("image,mask,tumour,um_per_px\na.png,mask.png,1,0.5\n");
  ASSERT_EQ(rows.size(), 4U);
  const auto load = ManifestReader(options_).loader();
  const int label[] = {1, 0, 1, 0}, lesion[] = {15 * 15, 0, 15 * 12, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(rows[i].label, label[i]) << i;
    const nets::LabelledImage tile = load(rows[i]);
    EXPECT_EQ(tile.label, label[i]) << i;
    EXPECT_EQ(tile.mask.sum().item<int>(), lesion[i]) << i;
  }
  cv::Mat speck(70, 100, CV_8U, cv::Scalar(0));
  speck(cv::Rect(0, 0, 6, 6)) = 255;  // 9 px of the first tile's 1024, none of the row below
  write("mask.png", speck);
  const auto others = read("image,mask,tumour,um_per_px\na.png,mask.png,1,0.5\n");
  ASSERT_EQ(others.size(), 3U) << "the first tile's class is not known";
  EXPECT_EQ(others[0].cut->x, 18);
}

TEST_F(ImageTiles, AnImageWithoutItsResolutionStaysWhole) {
  const auto rows = read("image,tumour,um_per_px\na.png,1,\n");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].cut);
  EXPECT_EQ(ManifestReader(options_).loader()(rows[0]).rgb.size(1), 100);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(ImageTiles, SayWhatIsWrong) {
  EXPECT_NE(error_of("image,tumour,um_per_px\na.png,1,0.1\n")
                .find("a.png: is 10 x 7 px at 1 µm/px, expected at least a quarter of a tile, 8;"),
            std::string::npos);
  EXPECT_NE(error_of("image,tumour,um_per_px\na.png,1,0\n").find("column 'um_per_px': 0, expected 0.01 to 50"), std::string::npos);
  EXPECT_NE(error_of("image,tumour,um_per_px\na.png,1,fine\n").find("column 'um_per_px'"), std::string::npos);
  std::ofstream(folder_ / "text.png") << "no picture";
  EXPECT_NE(error_of("image,tumour,um_per_px\ntext.png,1,0.5\n").find("text.png: cannot be read as an image"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::tools
