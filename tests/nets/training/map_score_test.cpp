#include "nets/training/map_score.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

using Truth = std::vector<std::int64_t>;

void add(MapScores& scores, const std::vector<float>& probability, const Truth& truth) {
  scores.add(probability.data(), truth.data(), static_cast<std::int64_t>(truth.size()));
}

TEST(MapScores, ASmallTumourCountsAsMuchAsALargeOne) {
  MapScores scores;
  add(scores, {0.9F, 0.9F, 0.9F, 0.9F, 0.9F, 0.9F, 0.1F, 0.1F}, {1, 1, 1, 1, 1, 1, 0, 0});
  add(scores, {0.3F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F}, {1, 0, 0, 0, 0, 0, 0, 0});
  const MapScore best = scores.best();
  // At 0.5 all of the large and nothing of the small one is found: a mean of 0.5, though 6 of 7 px are right.
  EXPECT_DOUBLE_EQ(best.dice, 1);
  EXPECT_GT(best.threshold, 0.1);
  EXPECT_LE(best.threshold, 0.3);
}

TEST(MapScores, FalseTumourElsewhereWeighsAgainstIt) {
  MapScores scores;
  add(scores, {0.8F, 0.4F, 0.1F, 0.1F}, {1, 1, 0, 0});
  add(scores, {0.6F, 0.6F, 0.6F, 0.1F}, {0, 0, 0, 0});
  // At 0.5: Dice 2/3, and a quarter of the other is right: 0.458. At 0.7: Dice 2/3 and all right: 0.833. At 0.3: (1 + 0.25) / 2.
  const MapScore best = scores.best();
  EXPECT_GT(best.threshold, 0.6);
  EXPECT_NEAR(best.dice, 2.0 / 3, 1e-12);
  EXPECT_NEAR(best.score, 5.0 / 6, 1e-12);
}

TEST(MapScores, OneKindOfImagesAlone) {
  MapScores tumour, other;
  add(tumour, {0.9F, 0.2F}, {1, 0});
  EXPECT_DOUBLE_EQ(tumour.best().score, 1);
  EXPECT_DOUBLE_EQ(tumour.best().threshold, 0.5);
  add(other, {0.7F, 0.2F}, {0, 0});
  EXPECT_DOUBLE_EQ(other.best().score, 1);
  EXPECT_EQ(other.best().dice, 0);
}

TEST(MapScores, UnknownPixelsAndImagesDoNotCount) {
  MapScores scores;
  add(scores, {0.1F, 0.9F}, {-1, -1});
  EXPECT_EQ(scores.best().score, 0);
  EXPECT_EQ(scores.best().threshold, 0.5);
  add(scores, {0.9F, 0.1F, 0.9F}, {1, 0, -1});
  EXPECT_DOUBLE_EQ(scores.best().score, 1);
}

TEST(MapScores, MapsOfABatch) {
  MapScores scores;
  scores.add(torch::tensor({{{0.9, 0.1}}, {{0.1, 0.1}}}), torch::tensor({{{1, 0}}, {{0, 0}}}));
  EXPECT_DOUBLE_EQ(scores.best().score, 1);
  EXPECT_THROW(scores.add(torch::zeros({1, 2, 2}), torch::zeros({1, 2, 3}, torch::kInt64)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::nets
