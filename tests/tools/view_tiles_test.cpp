#include <gtest/gtest.h>

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
