#include "nets/crf/permutohedral.h"

#include <random>

#include <gtest/gtest.h>

namespace clmnet::nets::lattice {
namespace {

template <int D>
std::array<float, D + 1> random_on_plane(std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-50, 50);
  std::array<float, D + 1> elevated;
  float sum = 0;
  for (int i = 1; i <= D; ++i) sum += elevated[i] = uniform(random);
  elevated[0] = -sum;
  return elevated;
}

/// Barycentric coordinates are those weights, none negative and 1 together, that give the position back.
template <int D>
void expect_simplex_holds_the_position(const std::array<float, D + 1>& elevated) {
  const Simplex<D> simplex = locate<D>(elevated);
  float sum = 0;
  std::array<float, D> back = {};
  for (int k = 0; k <= D; ++k) {
    EXPECT_GE(simplex.weight[k], -1e-4f);
    sum += simplex.weight[k];
    const Point<D> corner = simplex.corner(k);
    for (int i = 0; i < D; ++i) {
      back[i] += simplex.weight[k] * static_cast<float>(corner[i]);
      EXPECT_EQ(((corner[i] % (D + 1)) + D + 1) % (D + 1), k) << "a corner's coordinates are k modulo D + 1";
    }
  }
  EXPECT_NEAR(sum, 1, 1e-4);
  for (int i = 0; i < D; ++i) EXPECT_NEAR(back[i], elevated[i], 2e-3) << i;
}

TEST(Permutohedral, SimplexHoldsThePosition) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    expect_simplex_holds_the_position<2>(random_on_plane<2>(random));
    expect_simplex_holds_the_position<5>(random_on_plane<5>(random));
  }
}

TEST(Permutohedral, LatticePointIsItsOwnCorner) {
  const Simplex<2> simplex = locate<2>({6, -3, -3});
  EXPECT_NEAR(simplex.weight[0], 1, 1e-6);
  EXPECT_EQ(simplex.corner(0), (Point<2>{6, -3}));
}

// One step along a feature axis from the origin; by hand: deviation 3 sqrt(2/3), scales /sqrt 2 and /sqrt 6.
TEST(Permutohedral, ElevationByHand) {
  const Elevation<2> elevate({0, 0});
  const auto x = elevate({1, 0});
  EXPECT_NEAR(x[0], std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(x[1], -std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(x[2], 0, 1e-5);
  const auto y = elevate({0, 1});
  EXPECT_NEAR(y[0], 1, 1e-5);
  EXPECT_NEAR(y[1], 1, 1e-5);
  EXPECT_NEAR(y[2], -2, 1e-5);
}

TEST(Permutohedral, AnAnchorMovesByWholeLatticePoints) {
  const Elevation<5> origin({0, 0, 0, 0, 0});
  const Elevation<5> anchored({41.3, -17.9, 3.25, 0, 8.5});
  const auto far = origin({41.3f + 1.5f, -17.9f, 3.25f, 2.0f, 8.5f});
  const auto near = anchored({1.5f, 0, 0, 2.0f, 0});
  float sum = 0;
  for (int i = 0; i <= 5; ++i) {
    const float steps = (far[i] - near[i]) / 6.0f;
    EXPECT_NEAR(steps, std::round(steps), 1e-3) << i;
    sum += std::round(steps);
    EXPECT_LT(std::abs(near[i]), 40) << "coordinates stay small";
  }
  EXPECT_EQ(sum, 0) << "and on the plane";
}

TEST(PointTable, NumbersInOrderAndFindsAgain) {
  PointTable<5> table(2);
  std::mt19937 random(3);
  std::uniform_int_distribution<std::int32_t> uniform(-30000, 30000);
  std::vector<Point<5>> points;
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    points.push_back({uniform(random), uniform(random), uniform(random), uniform(random), uniform(random)});
    EXPECT_EQ(table.find(points.back()), 0u);
    EXPECT_EQ(table.find_or_add(points.back()), i);
  }
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    EXPECT_EQ(table.find(points[i - 1]), i);
    EXPECT_EQ(table.find_or_add(points[i - 1]), i);
    EXPECT_EQ(table[i], points[i - 1]);
  }
  EXPECT_EQ(table.size(), 5001u);
}

TEST(PointTable, PointsThatDifferInOneCoordinateOnly) {
  PointTable<5> table;
  const Point<5> base = {-1, -1, -1, -1, -1};
  table.find_or_add(base);
  for (int i = 0; i < 5; ++i) {
    Point<5> other = base;
    other[i] = 0;
    EXPECT_EQ(table.find(other), 0u) << i;
  }
  PointTable<2> plane;
  plane.find_or_add({1, 2});
  EXPECT_EQ(plane.find({2, 1}), 0u);
  EXPECT_EQ(plane.find({1, -2}), 0u);
}

}  // namespace
}  // namespace clmnet::nets::lattice
