#include <gtest/gtest.h>
#include <lcms2.h>
#include <turbojpeg.h>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/error.h"
#include "tools/view/grey_layer.h"
#include "tools/view/lru_cache.h"
#include "tools/view/slide_tiles.h"

namespace clmnet::tools::view {
namespace {

// 1000 x 700: level 10 is the scan, level 9 half of it, level 0 one pixel.
TEST(DeepZoom, SizesRoundUp) {
  const DeepZoom pyramid{{1000, 701}};
  EXPECT_EQ(pyramid.max_level(), 10);
  EXPECT_EQ(pyramid.size(10), (wsi::SizePx{1000, 701}));
  EXPECT_EQ(pyramid.size(9), (wsi::SizePx{500, 351}));
  EXPECT_EQ(pyramid.size(0), (wsi::SizePx{1, 1}));
  EXPECT_EQ(pyramid.downsample(8), 4);
}

TEST(DeepZoom, OnePixelAndPowersOfTwo) {
  EXPECT_EQ((DeepZoom{{1, 1}}).max_level(), 0);
  EXPECT_EQ((DeepZoom{{256, 1}}).max_level(), 8);
  EXPECT_EQ((DeepZoom{{257, 1}}).max_level(), 9);
}

TEST(DeepZoom, TilesLieWhereTheirPixelsAre) {
  const DeepZoom pyramid{{1000, 701}};
  const auto last = place_tile(pyramid, 10, 3, 2);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->origin, (wsi::Level0Px{768, 512}));
  EXPECT_EQ(last->size, (wsi::SizePx{232, 189}));
  const auto half = place_tile(pyramid, 9, 1, 1);
  ASSERT_TRUE(half);
  EXPECT_EQ(half->origin, (wsi::Level0Px{512, 512}));
  EXPECT_EQ(half->downsample, 2);
  EXPECT_EQ(half->size, (wsi::SizePx{244, 95}));
}

TEST(DeepZoom, NoSuchTile) {
  const DeepZoom pyramid{{1000, 701}};
  for (const auto& [level, column, row] : {std::tuple{11, 0, 0}, {-1, 0, 0}, {10, 4, 0}, {10, 0, 3}, {10, -1, 0}, {10, 0, -1}, {0, 1, 0}}) {
    EXPECT_FALSE(place_tile(pyramid, level, column, row)) << level << ' ' << column << ' ' << row;
  }
}

/// Of a scanner whose values are proportional to light, with sRGB's primaries.
std::vector<std::uint8_t> linear_profile() {
  const cmsCIExyY white = {0.3127, 0.3290, 1};
  const cmsCIExyYTRIPLE primaries = {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
  cmsToneCurve* line = cmsBuildGamma(nullptr, 1);
  cmsToneCurve* curves[] = {line, line, line};
  const cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsUInt32Number size = 0;
  cmsSaveProfileToMem(profile, nullptr, &size);
  std::vector<std::uint8_t> bytes(size);
  cmsSaveProfileToMem(profile, bytes.data(), &size);
  cmsCloseProfile(profile);
  cmsFreeToneCurve(line);
  return bytes;
}

/// Red of the middle pixel.
int middle_of(const std::string& jpeg) {
  const auto handle = tjInitDecompress();
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(DeepZoom::kTilePx) * DeepZoom::kTilePx * 3);
  const int status = tjDecompress2(handle, reinterpret_cast<const unsigned char*>(jpeg.data()), jpeg.size(), rgb.data(), DeepZoom::kTilePx, 0,
                                   DeepZoom::kTilePx, TJPF_RGB, 0);
  tjDestroy(handle);
  return status == 0 ? rgb[rgb.size() / 2 + DeepZoom::kTilePx * 3 / 2] : -1;
}

// sRGB's curve takes 100/255 of the light to 168: 255 * (1.055 * (100 / 255)^(1 / 2.4) - 0.055) = 168.1.
TEST(SlideTiles, ShowTheColoursOfTheIccProfileWhereAskedFor) {
  const wsi::TemporaryFolder folder;
  wsi::TiffFixture made;
  made.width = made.height = 512;
  made.tile = DeepZoom::kTilePx;  // tiles that are handed through as they are stored, unless their colours change
  made.icc_profile = linear_profile();
  made.paint = [](int, int) { return wsi::Rgb{100, 100, 100}; };
  wsi::write_tiff(folder / "slide.svs", made);
  SlideTiles stored, converted({}, true);
  for (const int level : {9, 8}) {
    EXPECT_NEAR(middle_of(*stored.tile(folder / "slide.svs", level, 0, 0)), 100, 2) << level;
    EXPECT_NEAR(middle_of(*converted.tile(folder / "slide.svs", level, 0, 0)), 168, 2) << level;
  }
}

TEST(SlideTiles, SayWhereASlideHasNoIccProfile) {
  const wsi::TemporaryFolder folder;
  wsi::TiffFixture made;
  made.paint = wsi::tissue_like;
  wsi::write_tiff(folder / "slide.svs", made);
  EXPECT_THROW(SlideTiles({}, true).tile(folder / "slide.svs", 0, 0, 0), InputError);
}

TEST(LruCache, OldestGoesFirst) {
  LruCache<int> cache(3);
  for (const char* key : {"a", "b", "c"}) cache.put(key, std::make_shared<const int>(1), 1);
  EXPECT_TRUE(cache.find("a"));
  cache.put("d", std::make_shared<const int>(1), 1);
  EXPECT_FALSE(cache.find("b"));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_EQ(cache.used(), 3U);
}

TEST(LruCache, NeverHoldsMoreThanItsCapacity) {
  LruCache<int> cache(10);
  cache.put("large", std::make_shared<const int>(1), 11);
  EXPECT_FALSE(cache.find("large"));
  cache.put("a", std::make_shared<const int>(1), 6);
  cache.put("b", std::make_shared<const int>(2), 6);
  EXPECT_FALSE(cache.find("a"));
  cache.put("b", std::make_shared<const int>(3), 4);
  EXPECT_EQ(*cache.find("b"), 3);
  EXPECT_EQ(cache.used(), 4U);
}

TEST(GreyLayer, CodesOfProbability) {
  EXPECT_EQ(code_of_probability(0), 1);
  EXPECT_EQ(code_of_probability(1), 255);
  EXPECT_EQ(code_of_probability(0.5), 128);
  EXPECT_EQ(code_of_probability(-3), 1);
  EXPECT_EQ(code_of_probability(7), 255);
}

}  // namespace
}  // namespace clmnet::tools::view
