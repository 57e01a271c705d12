#include "wsi/geojson.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/trace.h"

namespace clmnet::wsi {
namespace {

/// A mask from rows of '#' and '.', each pixel 10 x 20 level-0 px.
struct Drawn {
  cv::Mat mask;
  MapGeometry geometry;
  explicit Drawn(const std::vector<std::string>& rows) {
    mask.create(static_cast<int>(rows.size()), static_cast<int>(rows[0].size()), CV_8U);
    for (int y = 0; y < mask.rows; ++y) {
      for (int x = 0; x < mask.cols; ++x) {
        mask.at<uchar>(y, x) = rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] == '#' ? 255 : 0;
      }
    }
    geometry = {{mask.cols * 10, mask.rows * 20}, {1, 1}, {mask.cols, mask.rows}, 10, 20};
  }
};

double doubled(const Ring& ring) {
  double sum = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const auto a = ring[i], b = ring[(i + 1) % ring.size()];
    sum += static_cast<double>(a.x) * static_cast<double>(b.y) - static_cast<double>(b.x) * static_cast<double>(a.y);
  }
  return sum;
}

double area(const RegionPolygon& region) {
  double sum = doubled(region.outer);
  for (const auto& hole : region.holes) sum += doubled(hole);
  return sum / 2;
}

TEST(Trace, OnePixelIsItsFourCorners) {
  const Drawn drawn({"...", ".#.", "..."});
  const auto traced = trace_regions(drawn.mask, drawn.geometry);
  ASSERT_EQ(traced.regions.size(), 1U);
  EXPECT_EQ(traced.regions[0].outer, (Ring{{10, 20}, {20, 20}, {20, 40}, {10, 40}}));
  EXPECT_EQ(area(traced.regions[0]), 200);
}

TEST(Trace, AHoleIsARingOfTheOtherOrientation) {
  const Drawn drawn({"####", "#..#", "####"});
  const auto traced = trace_regions(drawn.mask, drawn.geometry);
  ASSERT_EQ(traced.regions.size(), 1U);
  ASSERT_EQ(traced.regions[0].holes.size(), 1U);
  EXPECT_GT(doubled(traced.regions[0].outer), 0);
  EXPECT_LT(doubled(traced.regions[0].holes[0]), 0);
  EXPECT_EQ(area(traced.regions[0]), 10 * 200);
}

TEST(Trace, AnIslandInAHoleIsARegionOfItsOwn) {
  const Drawn drawn({"#####", "#...#", "#.#.#", "#...#", "#####"});
  const auto traced = trace_regions(drawn.mask, drawn.geometry);
  ASSERT_EQ(traced.regions.size(), 2U);
  EXPECT_EQ(area(traced.regions[0]), 16 * 200);
  EXPECT_EQ(area(traced.regions[1]), 200);
}

TEST(Trace, PixelsThatTouchAtACornerAreTwoRegions) {
  const Drawn drawn({"#.", ".#"});
  EXPECT_EQ(trace_regions(drawn.mask, drawn.geometry).regions.size(), 2U);
}

// A pocket that opens to the outside only through a corner: one ring through that corner twice would be invalid.
TEST(Trace, ARingThatWouldTouchItselfIsCut) {
  const Drawn drawn({"###.", "#.#.", "##.#", "####"});
  for (const auto& region : trace_regions(drawn.mask, drawn.geometry).regions) {
    std::vector<Ring> rings = region.holes;
    rings.push_back(region.outer);
    for (const auto& ring : rings) {
      std::set<std::pair<std::int64_t, std::int64_t>> corners;
      for (const auto& corner : ring) EXPECT_TRUE(corners.insert({corner.x, corner.y}).second);
    }
    EXPECT_EQ(area(region), region.area_px * 200);
  }
}

TEST(Trace, AreaOfRandomMasksIsThatOfTheirPixelsAndRingsAreSimple) {
  cv::RNG random(11);
  for (int round = 0; round < 60; ++round) {
    const int side = random.uniform(1, 30);
    cv::Mat mask(side, side + 3, CV_8U);
    for (int y = 0; y < mask.rows; ++y) {
      for (int x = 0; x < mask.cols; ++x) mask.at<uchar>(y, x) = random.uniform(0, 100) < 55 ? 255 : 0;
    }
    const MapGeometry geometry{{mask.cols * 7, mask.rows * 7}, {0.5, 0.5}, {mask.cols, mask.rows}, 7, 7};
    double pixels = 0;
    for (const auto& region : trace_regions(mask, geometry).regions) {
      EXPECT_GT(doubled(region.outer), 0);
      EXPECT_DOUBLE_EQ(area(region), region.area_px * 49);
      std::vector<Ring> rings = region.holes;
      rings.push_back(region.outer);
      for (const auto& ring : rings) {
        std::set<std::pair<std::int64_t, std::int64_t>> corners;
        for (const auto& corner : ring) ASSERT_TRUE(corners.insert({corner.x, corner.y}).second);
      }
      pixels += region.area_px;
    }
    EXPECT_EQ(pixels, cv::countNonZero(mask));
  }
}

TEST(Trace, SmallRegionsAreDroppedAndSmallHolesFilled) {
  Drawn drawn({"#####..", "#.#.#.#", "#####.#", ".......", "......."});
  drawn.geometry.level0_um_per_px = {100, 50};  // a pixel is 1 mm2
  EXPECT_EQ(trace_regions(drawn.mask, drawn.geometry, 2.5).regions.size(), 1U);
  EXPECT_EQ(trace_regions(drawn.mask, drawn.geometry, 0, 1.5).regions[0].holes.size(), 0U);
  EXPECT_EQ(trace_regions(drawn.mask, drawn.geometry).regions[0].holes.size(), 2U);
}

TEST(Trace, TheMaskReachesTheLastPixelOfTheScan) {
  const auto geometry = fit_map({1001, 777}, {0.5, 0.5}, 8);
  const cv::Mat mask(static_cast<int>(geometry.size.height), static_cast<int>(geometry.size.width), CV_8U, cv::Scalar(255));
  EXPECT_EQ(trace_regions(mask, geometry).regions[0].outer, (Ring{{0, 0}, {1001, 0}, {1001, 777}, {0, 777}}));
}

TEST(Trace, NothingIsNoRegion) {
  const Drawn drawn({"...", "..."});
  EXPECT_TRUE(trace_regions(drawn.mask, drawn.geometry).regions.empty());
  EXPECT_EQ(geojson_text({}), "{\"type\":\"FeatureCollection\",\"features\":[]}\n");
}

TEST(Trace, AMaskOfAnotherSizeOrTypeIsTheCallersBug) {
  const Drawn drawn({"..."});
  EXPECT_THROW(trace_regions(cv::Mat::zeros(5, 5, CV_8U), drawn.geometry), std::invalid_argument);
  EXPECT_THROW(trace_regions(cv::Mat::zeros(1, 3, CV_32F), drawn.geometry), std::invalid_argument);
}

ProbabilityMap probability_map() {
  ProbabilityMap map;
  map.geometry = fit_map({160, 160}, {1, 1}, 8);
  map.probability = {cv::Mat::zeros(20, 20, CV_32F)};
  map.valid = cv::Mat(20, 20, CV_8U, cv::Scalar(255));
  map.probability[0](cv::Rect(2, 2, 8, 8)) = 0.8F;
  map.probability[0].at<float>(5, 5) = 0.9F;
  return map;
}

TEST(Tumour, AreaMeanAndMaximumByHand) {
  const auto tumour = find_tumour(probability_map(), {.min_area_mm2 = 0});
  ASSERT_EQ(tumour.annotations.size(), 1U);
  EXPECT_NEAR(tumour.area_mm2, 64 * 64e-6, 1e-12);
  const auto& measured = tumour.annotations[0].measurements;
  EXPECT_EQ(measured[0].first, "area_mm2");
  EXPECT_NEAR(measured[0].second, 64 * 64e-6, 1e-12);
  EXPECT_NEAR(measured[1].second, (63 * 0.8 + 0.9) / 64, 1e-6);
  EXPECT_NEAR(measured[2].second, 0.9, 1e-6);
}

TEST(Tumour, PixelsWithoutDataAreNeverTumour) {
  auto map = probability_map();
  map.valid(cv::Rect(4, 4, 1, 1)) = 0;  // a hole of this size would be filled
  const auto tumour = find_tumour(map, {.min_area_mm2 = 0});
  EXPECT_EQ(tumour.mask.at<uchar>(4, 4), 0);
  EXPECT_EQ(tumour.annotations[0].polygon.holes.size(), 1U);
  map.valid.setTo(0);
  EXPECT_TRUE(find_tumour(map, {.min_area_mm2 = 0}).annotations.empty());
}

TEST(Tumour, BelowTheStatedAreaIsDropped) {
  const auto tumour = find_tumour(probability_map(), {.min_area_mm2 = 1});
  EXPECT_TRUE(tumour.annotations.empty());
  EXPECT_EQ(tumour.area_mm2, 0);
}

TEST(Tumour, AChannelThatIsMissingIsTheCallersBug) {
  EXPECT_THROW(find_tumour(probability_map(), {.channel = 1}), std::invalid_argument);
}

TEST(GeoJson, HasTheFormThatQuPathImports) {
  const TemporaryFolder folder;
  const auto tumour = find_tumour(probability_map(), {.min_area_mm2 = 0});
  write_geojson(folder / "tumour.geojson", tumour.annotations);
  const auto text = read_whole_file(folder / "tumour.geojson");
  const auto document = nlohmann::json::parse(text);
  ASSERT_EQ(document["type"], "FeatureCollection");
  const auto& feature = document["features"].at(0);
  EXPECT_EQ(feature["type"], "Feature");
  EXPECT_EQ(feature["geometry"]["type"], "Polygon");
  const auto& ring = feature["geometry"]["coordinates"].at(0);
  EXPECT_EQ(ring.front(), ring.back());
  EXPECT_TRUE(ring.front().at(0).is_number_integer());
  EXPECT_EQ(feature["properties"]["objectType"], "annotation");
  EXPECT_EQ(feature["properties"]["classification"]["name"], "Tumor");
  EXPECT_EQ(feature["properties"]["classification"]["color"].size(), 3U);
  const std::string id = feature["id"];
  ASSERT_EQ(id.size(), 36U);
  EXPECT_EQ(id[8], '-');
  EXPECT_EQ(id[14], '8');
  EXPECT_EQ(text, geojson_text(find_tumour(probability_map(), {.min_area_mm2 = 0}).annotations)) << "ids must not change";
}

TEST(GeoJson, AFolderThatIsMissingIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_geojson(folder / "none" / "a.geojson", {}), InputError);
}

}  // namespace
}  // namespace clmnet::wsi
