#include "survival/segmentation.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "survival/random.h"

namespace clmnet::survival {
namespace {

/// A mask from rows of '.' and '#'.
struct Drawn {
  int rows = 0, columns = 0;
  std::vector<std::uint8_t> pixels;

  explicit Drawn(const std::vector<std::string>& lines)
      : rows(static_cast<int>(lines.size())), columns(static_cast<int>(lines[0].size())) {
    for (const auto& line : lines) {
      for (const char c : line) pixels.push_back(c == '#');
    }
  }
  operator MaskView() const { return {rows, columns, pixels}; }
};

Drawn random_blobs(int rows, int columns, std::uint64_t seed) {
  Random random(seed);
  Drawn mask(std::vector<std::string>(rows, std::string(columns, '.')));
  for (int blob = 0; blob < 4; ++blob) {
    const double r0 = random.uniform() * rows, c0 = random.uniform() * columns, radius = 1 + random.uniform() * rows / 4;
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        if (std::hypot(r - r0, c - c0) < radius) mask.pixels[r * columns + c] = 1;
      }
    }
  }
  return mask;
}

/// For each border pixel of `from` the nearest border pixel of `to`, by trying all.
std::vector<double> slow_distances(const MaskView& from, const MaskView& to, PixelSpacing spacing) {
  const auto border = [](const MaskView& m) {
    std::vector<std::pair<int, int>> pixels;
    const auto inside = [&](int r, int c) { return r >= 0 && c >= 0 && r < m.rows && c < m.columns && m.at(r, c); };
    for (int r = 0; r < m.rows; ++r) {
      for (int c = 0; c < m.columns; ++c) {
        if (inside(r, c) && !(inside(r - 1, c) && inside(r + 1, c) && inside(r, c - 1) && inside(r, c + 1))) {
          pixels.emplace_back(r, c);
        }
      }
    }
    return pixels;
  };
  std::vector<double> distances;
  for (const auto& [r, c] : border(from)) {
    double nearest = INFINITY;
    for (const auto& [s, d] : border(to)) {
      nearest = std::min(nearest, std::hypot((r - s) * spacing.row, (c - d) * spacing.column));
    }
    distances.push_back(nearest);
  }
  return distances;
}

TEST(Overlap, ByHand) {
  const Drawn truth({"##..", "##.."}), prediction({".##.", ".##."});
  const auto counts = overlap(truth, prediction);
  EXPECT_EQ(counts.tp, 2);
  EXPECT_EQ(counts.fp, 2);
  EXPECT_EQ(counts.fn, 2);
  EXPECT_EQ(counts.tn, 2);
  EXPECT_DOUBLE_EQ(counts.dice(), 0.5);
  EXPECT_DOUBLE_EQ(counts.iou(), 1.0 / 3);
}

TEST(Overlap, EmptyMasks) {
  const Drawn empty({"...", "..."}), full({"###", "###"});
  EXPECT_TRUE(std::isnan(overlap(empty, empty).dice()));
  EXPECT_TRUE(std::isnan(overlap(empty, empty).iou()));
  EXPECT_EQ(overlap(empty, full).dice(), 0);
  EXPECT_EQ(overlap(full, empty).iou(), 0);
  EXPECT_TRUE(std::isnan(surface_distances(empty, full).hausdorff));
  EXPECT_TRUE(std::isnan(surface_distances(full, empty).assd_pooled));
  EXPECT_TRUE(std::isnan(overlap(MaskView{0, 0, {}}, MaskView{0, 0, {}}).dice()));
}

TEST(Overlap, RefusesMasksThatDoNotFit) {
  const Drawn a({"..", ".."}), b({"..."});
  EXPECT_THROW(overlap(a, b), std::invalid_argument);
  EXPECT_THROW(surface_distances(a, b), std::invalid_argument);
  EXPECT_THROW(object_scores(a, b), std::invalid_argument);
  EXPECT_THROW(overlap(MaskView{3, 3, a.pixels}, MaskView{3, 3, a.pixels}), std::invalid_argument);
  EXPECT_THROW(surface_distances(a, a, {0, 1}), std::invalid_argument);
  EXPECT_THROW(surface_distances(a, a, {1, NAN}), std::invalid_argument);
  EXPECT_THROW(label_objects(a, 6), std::invalid_argument);
  EXPECT_THROW(object_scores(a, a, 0.3), std::invalid_argument);
  EXPECT_THROW(object_scores(a, a, 1.0), std::invalid_argument);
}

// Two single pixels, three columns and four rows apart.
TEST(SurfaceDistancesTest, ByHand) {
  const Drawn truth({"#...", "....", "....", "....", "...."}), prediction({"....", "....", "....", "....", "...#"});
  EXPECT_DOUBLE_EQ(surface_distances(truth, prediction).hausdorff, 5);
  EXPECT_DOUBLE_EQ(surface_distances(truth, prediction, {0.5, 1}).assd_pooled, std::sqrt(4.0 + 9));
  EXPECT_DOUBLE_EQ(surface_distances(truth, truth).hausdorff, 0);
}

// A 2 x 2 truth in a 4 x 5 image with pixels of 3 x 2 µm: the diagonal is three rows and four columns, hypot(9, 8).
TEST(Hd95OrDiagonal, AnEmptyPredictionIsAsFarAsCanBe) {
  const Drawn truth({".....", ".##..", ".##..", "....."}), none({".....", ".....", ".....", "....."});
  EXPECT_DOUBLE_EQ(hd95_or_diagonal(truth, none, {3, 2}), std::hypot(9, 8));
  EXPECT_TRUE(std::isnan(hd95_or_diagonal(none, truth, {3, 2})));
  EXPECT_TRUE(std::isnan(hd95_or_diagonal(none, none, {3, 2})));
  EXPECT_THROW(hd95_or_diagonal(truth, none, {0, 2}), std::invalid_argument);
  EXPECT_THROW(hd95_or_diagonal(truth, Drawn({"."})), std::invalid_argument);
}

TEST(Hd95OrDiagonal, IsTheDistanceWhereBothHoldSomething) {
  const Drawn truth({"#....", "....."}), prediction({"...#.", "....."}), far({"....#", "#...."});
  EXPECT_DOUBLE_EQ(hd95_or_diagonal(truth, prediction, {3, 2}), 6);
  EXPECT_DOUBLE_EQ(hd95_or_diagonal(truth, truth, {3, 2}), 0);
  EXPECT_DOUBLE_EQ(hd95_or_diagonal(truth, far), surface_distances(truth, far).hd95_max_of_directed);
}

TEST(SurfaceDistancesTest, AgreeWithTryingAllPairs) {
  for (const PixelSpacing spacing : {PixelSpacing{1, 1}, PixelSpacing{0.25, 2}, PixelSpacing{3, 0.7}}) {
    for (int seed = 0; seed < 12; ++seed) {
      const Drawn truth = random_blobs(24, 31, seed), prediction = random_blobs(24, 31, 100 + seed);
      const auto result = surface_distances(truth, prediction, spacing);
      const auto forth = slow_distances(truth, prediction, spacing), back = slow_distances(prediction, truth, spacing);
      std::vector<double> pooled = forth;
      pooled.insert(pooled.end(), back.begin(), back.end());
      EXPECT_NEAR(result.hausdorff, *std::max_element(pooled.begin(), pooled.end()), 1e-12);
      EXPECT_NEAR(result.hd95_max_of_directed, std::max(percentile(forth, 95), percentile(back, 95)), 1e-12);
      EXPECT_NEAR(result.hd95_pooled, percentile(pooled, 95), 1e-12);
      double sum = 0;
      for (const double d : pooled) sum += d;
      EXPECT_NEAR(result.assd_pooled, sum / double(pooled.size()), 1e-12);
      EXPECT_EQ(result.truth_pixels, static_cast<int>(forth.size()));
    }
  }
}

TEST(Percentile, ByHand) {
  EXPECT_DOUBLE_EQ(percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_DOUBLE_EQ(percentile({0, 10}, 95), 9.5);
  EXPECT_DOUBLE_EQ(percentile({7}, 95), 7);
  EXPECT_DOUBLE_EQ(percentile({1, 2}, 100), 2);
  EXPECT_TRUE(std::isnan(percentile({}, 95)));
  EXPECT_THROW(percentile({1}, 101), std::invalid_argument);
}

TEST(Objects, ConnectivityDecidesDiagonals) {
  const Drawn mask({"#..", ".#.", "..."});
  EXPECT_EQ(label_objects(mask, 8).area_px, (std::vector<double>{2}));
  EXPECT_EQ(label_objects(mask, 4).area_px, (std::vector<double>{1, 1}));
  EXPECT_EQ(label_objects(mask, 4).label, (std::vector<std::int32_t>{1, 0, 0, 0, 2, 0, 0, 0, 0}));
}

// True: A of 4 pixels, B of 2. Predicted: A's 3 pixels (IoU 3/4), one elsewhere. Object Dice: true side (4 * 6/7 + 2 * 0) / 6,
// predicted side (3 * 6/7 + 1 * 0) / 4.
TEST(Objects, ScoresByHand) {
  const Drawn truth({"##..#", "##..#", "....."}), prediction({"##...", "#....", "....#"});
  const auto scores = object_scores(truth, prediction);
  EXPECT_EQ(scores.tp, 1);
  EXPECT_EQ(scores.fp, 1);
  EXPECT_EQ(scores.fn, 1);
  EXPECT_DOUBLE_EQ(scores.f1, 0.5);
  EXPECT_DOUBLE_EQ(scores.mean_matched_iou, 0.75);
  EXPECT_NEAR(scores.object_dice, ((4 * 6.0 / 7) / 6 + (3 * 6.0 / 7) / 4) / 2, 1e-14);
  EXPECT_EQ(object_scores(truth, prediction, 0.8).tp, 0);
}

TEST(Objects, EmptyMasks) {
  const Drawn empty({"..."}), one({".#."});
  EXPECT_TRUE(std::isnan(object_scores(empty, empty).f1));
  EXPECT_TRUE(std::isnan(object_scores(empty, empty).object_dice));
  EXPECT_EQ(object_scores(one, empty).f1, 0);
  EXPECT_TRUE(std::isnan(object_scores(one, empty).precision));
  EXPECT_EQ(object_scores(one, empty).recall, 0);
  EXPECT_EQ(object_scores(empty, one).object_dice, 0);
}

}  // namespace
}  // namespace clmnet::survival
