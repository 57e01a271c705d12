#include "tools/measure_map.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clmnet::tools {
namespace {

/// Patches of 8 x 8 px of 3 µm, maps of 4 x 4 px of 6 µm.
nets::ModelConfig model() {
  nets::ModelConfig config;
  config.patch_size_px = 8;
  config.spacing_um_per_px = 3;
  config.map_px = 2;
  return config;
}

/// 1 in rows from `top` and columns from `left`, both up to and without their ends; else 0.
torch::Tensor box(std::int64_t side, std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
  torch::Tensor x = torch::zeros({side, side});
  x.slice(0, top, bottom).slice(1, left, right).fill_(1);
  return x;
}

torch::Tensor mask_of(const torch::Tensor& x) { return x.to(torch::kUInt8); }

// Map and mask are one map pixel of 6 µm apart.
TEST(MeasureMap, AShiftIsItsDistanceInMicrometres) {
  const torch::Tensor mask = mask_of(box(8, 2, 6, 2, 4));
  MapMeasures measures;
  measure_map(box(8, 2, 6, 4, 6), map_truth(mask, mask, model()), 0.5, measures);
  EXPECT_EQ(measures.hd95_um, std::vector<double>{6});
  EXPECT_EQ(measures.map_empty, std::vector<double>{0});
  EXPECT_EQ(measures.dice, std::vector<double>{0});
}

TEST(MeasureMap, AMapAtItsOwnResolutionGivesTheSameDistance) {
  const torch::Tensor mask = mask_of(box(8, 2, 6, 2, 4));
  MapMeasures measures;
  measure_map(box(4, 1, 3, 2, 3), map_truth(mask, mask, model()), 0.5, measures);
  EXPECT_EQ(measures.hd95_um, std::vector<double>{6});
}

TEST(MeasureMap, DiceIsAtTheMasksOwnSizeAndTheDistanceIsNot) {
  const torch::Tensor mask = mask_of(box(16, 4, 12, 4, 8)), patch = mask_of(box(8, 2, 6, 2, 4));
  MapMeasures measures;
  measure_map(box(8, 2, 6, 2, 4), map_truth(mask, patch, model()), 0.5, measures);
  EXPECT_EQ(measures.dice, std::vector<double>{1});
  EXPECT_EQ(measures.hd95_um, std::vector<double>{0});
}

// The diagonal between the centres of the corners of 4 x 4 px of 6 µm.
TEST(MeasureMap, AMapWithoutTumourIsADiagonalAwayAndSaid) {
  const torch::Tensor mask = mask_of(box(8, 2, 6, 2, 4));
  MapMeasures measures;
  measure_map(torch::full({8, 8}, 0.4), map_truth(mask, mask, model()), 0.5, measures);
  ASSERT_EQ(measures.hd95_um.size(), 1U);
  EXPECT_NEAR(measures.hd95_um[0], 18 * std::sqrt(2.0), 1e-9);
  EXPECT_EQ(measures.map_empty, std::vector<double>{1});
  EXPECT_EQ(measures.dice, std::vector<double>{0});
}

TEST(MeasureMap, AMaskThatIsUnknownIsLeftOutAndOnAnEmptyOneAllTumourIsFalse) {
  MapMeasures measures;
  measure_map(box(8, 0, 4, 0, 8), map_truth({}, box(8, 0, 8, 0, 8), model()), 0.5, measures);
  const torch::Tensor none = mask_of(torch::zeros({8, 8})), some = mask_of(box(8, 2, 6, 2, 4));
  measure_map(box(8, 0, 2, 0, 8), map_truth(none, none, model()), 0.5, measures);
  measure_map(box(8, 0, 2, 0, 8), map_truth(some, some, model()), 0.5, measures);
  for (const auto& measure : kMapMeasures) {
    const auto& values = measures.*measure.values;
    ASSERT_EQ(values.size(), 3U) << measure.name;
    EXPECT_TRUE(std::isnan(values[0])) << measure.name;
    const bool of_empty_masks = measure.values == &MapMeasures::false_tumour_share;
    EXPECT_EQ(std::isnan(values[1]), !of_empty_masks) << measure.name;
    EXPECT_EQ(std::isnan(values[2]), of_empty_masks) << measure.name;
  }
  EXPECT_DOUBLE_EQ(measures.false_tumour_share[1], 0.25);  // a quarter of the rows
}

// One pixel of four of the mask: under half of a map pixel, so that there is no border at the map's resolution.
TEST(MeasureMap, TumourBelowTheMapsResolutionHasNoBorder) {
  const torch::Tensor mask = mask_of(box(8, 2, 3, 2, 3));
  MapMeasures measures;
  measure_map(mask.to(torch::kFloat32), map_truth(mask, mask, model()), 0.5, measures);
  EXPECT_EQ(measures.dice, std::vector<double>{1});
  EXPECT_TRUE(std::isnan(measures.hd95_um[0]) && std::isnan(measures.map_empty[0]));
}

}  // namespace
}  // namespace clmnet::tools
