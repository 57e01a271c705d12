#include "tools/view/stored_tiles.h"

#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <random>

#include <opencv2/core.hpp>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"
#include "tools/view/float_map.h"
#include "tools/view/grey_layer.h"
#include "tools/view/slide_tiles.h"

namespace clmnet::tools::view {
namespace {

constexpr int kSide = DeepZoom::kTilePx;

cv::Mat stripes() {
  cv::Mat rgb(kSide, kSide, CV_8UC3);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) rgb.at<cv::Vec3b>(y, x) = {200, static_cast<uchar>(x), static_cast<uchar>(y)};
  }
  return rgb;
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// What libjpeg-turbo makes of it; empty where it cannot.
cv::Mat decoded(const std::string& jpeg) {
  const auto handle = tjInitDecompress();
  cv::Mat rgb(kSide, kSide, CV_8UC3);
  const int status = tjDecompress2(handle, reinterpret_cast<const unsigned char*>(jpeg.data()), jpeg.size(), rgb.data, kSide, 0, kSide, TJPF_RGB, 0);
  tjDestroy(handle);
  return status == 0 ? rgb : cv::Mat();
}

/// Segments from the first of the tables to the frame apart from the rest, as TIFF keeps them.
std::pair<std::vector<std::uint8_t>, std::vector<std::uint8_t>> split_tables(const std::string& jpeg) {
  std::string tables = "\xff\xd8", tile = "\xff\xd8";
  std::size_t at = 2;
  while (static_cast<unsigned char>(jpeg[at + 1]) != 0xda) {
    const std::size_t length = static_cast<unsigned char>(jpeg[at + 2]) * 256U + static_cast<unsigned char>(jpeg[at + 3]);
    const auto marker = static_cast<unsigned char>(jpeg[at + 1]);
    (marker == 0xdb || marker == 0xc4 ? tables : tile) += jpeg.substr(at, length + 2);
    at += length + 2;
  }
  return {bytes_of(tables + "\xff\xd9"), bytes_of(tile + jpeg.substr(at))};
}

TEST(WholeJpeg, TablesAndTileAreTheSamePicture) {
  const auto jpeg = encode_jpeg(stripes(), 90);
  const auto [tables, tile] = split_tables(jpeg);
  const auto whole = whole_jpeg(tables, tile, true, kSide);
  ASSERT_TRUE(whole);
  ASSERT_FALSE(decoded(*whole).empty());
  EXPECT_EQ(cv::norm(decoded(*whole), decoded(jpeg), cv::NORM_INF), 0);
  EXPECT_TRUE(whole_jpeg({}, bytes_of(jpeg), true, kSide));
}

// As stored RGB the same numbers are other colours: the marker decides, not the decoder's guess.
TEST(WholeJpeg, TheMarkerSaysTheColours) {
  const auto jpeg = bytes_of(encode_jpeg(stripes(), 90));
  EXPECT_GT(cv::norm(decoded(*whole_jpeg({}, jpeg, false, kSide)), decoded(*whole_jpeg({}, jpeg, true, kSide)), cv::NORM_INF), 50);
}

TEST(WholeJpeg, OtherThings) {
  const auto jpeg = bytes_of(encode_jpeg(stripes(), 90));
  EXPECT_FALSE(whole_jpeg({}, jpeg, true, kSide / 2));
  EXPECT_FALSE(whole_jpeg({}, {}, true, kSide));
  EXPECT_FALSE(whole_jpeg(std::vector<std::uint8_t>{0xff, 0xd8, 0xff}, jpeg, true, kSide));
  EXPECT_FALSE(whole_jpeg({}, bytes_of(encode_jpeg(stripes()(cv::Rect(0, 0, 128, kSide)), 90)), true, kSide));
  for (std::size_t length = 0; length < jpeg.size(); length += 1 + length / 20) {
    EXPECT_FALSE(whole_jpeg({}, std::span(jpeg).first(length), true, kSide)) << length;
  }
}

TEST(WholeJpeg, DamagedBytesAreWalkedSafely) {
  const auto [tables, tile] = split_tables(encode_jpeg(stripes(), 90));
  std::mt19937 random(5);
  for (int i = 0; i < 4000; ++i) {
    auto broken_tables = tables, broken_tile = tile;
    for (int change = 0; change < 3; ++change) {
      broken_tables[random() % broken_tables.size()] = static_cast<std::uint8_t>(random());
      broken_tile[random() % std::min<std::size_t>(broken_tile.size(), 60)] = static_cast<std::uint8_t>(random());
    }
    broken_tile.resize(random() % (broken_tile.size() + 1));
    const auto whole = whole_jpeg(broken_tables, broken_tile, true, kSide);
    EXPECT_LE(whole.value_or("").size(), 18 + broken_tables.size() + broken_tile.size());
  }
}

TEST(LayerOfCodes, CoarserLevelsAreMeansOfWhatHasData) {
  std::vector<std::uint8_t> codes(300 * 2, 0);
  codes[0] = 100;
  codes[300] = 51;
  codes[299] = 9;
  const auto layer = layer_of_codes({300, 2}, codes);
  ASSERT_EQ(layer->levels, (std::vector<wsi::SizePx>{{300, 2}, {150, 1}}));
  EXPECT_EQ(layer->tile(1, 0, 0)[0], 76);    // (100 + 51) / 2, the two without data do not count
  EXPECT_EQ(layer->tile(1, 0, 0)[1], 0);
  EXPECT_EQ(layer->tile(1, 0, 0)[149], 9);
  EXPECT_EQ(layer->tile(0, 1, 0)[299 - 256], 9);
  EXPECT_TRUE(layer->tile(2, 0, 0).empty());
  EXPECT_EQ(layer->histogram()[0], 597);
}

TEST(GreyLayer, ValuesHaveTheLayersScale) {
  const auto layer = layer_of_codes({3, 1}, {0, 1, 255});
  layer->low = -2;
  layer->high = 3;
  EXPECT_FALSE(layer->value_at(0.5, 0.5));
  EXPECT_DOUBLE_EQ(*layer->value_at(1, 0), -2);
  EXPECT_DOUBLE_EQ(*layer->value_at(2.999, 0.999), 3);
  for (const auto& [x, y] : {std::pair{3.0, 0.5}, {-0.1, 0.5}, {1.0, 1.0}, {1.0, -0.1}}) EXPECT_FALSE(layer->value_at(x, y)) << x << ' ' << y;
}

TEST(FloatMap, OtherFiles) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read_float_map(folder / "none.tiff"), InputError);
  EXPECT_THROW(read_float_map(folder.write("text.tiff", "not a TIFF")), InputError);
}

}  // namespace
}  // namespace clmnet::tools::view
