#include "nets/crf/permutohedral.h"

#include <random>

#include <gtest/gtest.h>

namespace clmnet::nets::lattice {
namespace {

template <int D>
Lanes<D + 1> random_on_plane(std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-50, 50);
  Lanes<D + 1> elevated = {};
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 1; i <= D; ++i) {
      elevated[i][lane] = uniform(random);
      elevated[0][lane] -= elevated[i][lane];
    }
  }
  return elevated;
}

/// The coordinates of a corner, by hand: all k modulo D + 1 from the corner of remainder 0, those of the least rest one period lower.
template <int D>
Point<D> corner_by_hand(const Simplices<D>& simplices, int lane, int k) {
  Point<D> corner;
  for (int place = 0; place <= D; ++place) {
    const int i = simplices.order[place][lane];
    if (i < D) corner[i] = simplices.origin[i][lane] + (place <= D - k ? k : k - (D + 1));
  }
  return corner;
}

/// Barycentric coordinates are those weights, none negative and 1 together, that give the position back.
template <int D>
void expect_simplices_hold_their_positions(const Lanes<D + 1>& elevated) {
  const Simplices<D> simplices = locate<D>(elevated);
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto keys = simplices.corners(lane);
    float sum = 0;
    std::array<float, D> back = {};
    for (int k = 0; k <= D; ++k) {
      const float weight = simplices.weight[k][lane];
      EXPECT_GE(weight, -1e-4f);
      sum += weight;
      const Point<D> corner = corner_by_hand(simplices, lane, k);
      EXPECT_EQ(keys[k], pack<D>(corner)) << k;
      for (int i = 0; i < D; ++i) {
        back[i] += weight * static_cast<float>(corner[i]);
        EXPECT_EQ(((corner[i] % (D + 1)) + D + 1) % (D + 1), k) << "a corner's coordinates are k modulo D + 1";
      }
    }
    EXPECT_NEAR(sum, 1, 1e-4);
    for (int i = 0; i < D; ++i) EXPECT_NEAR(back[i], elevated[i][lane], 2e-3) << i;
  }
}

TEST(Permutohedral, SimplexHoldsThePosition) {
  std::mt19937 random(7);
  for (int i = 0; i < 125; ++i) {
    expect_simplices_hold_their_positions<2>(random_on_plane<2>(random));
    expect_simplices_hold_their_positions<5>(random_on_plane<5>(random));
  }
}

TEST(Permutohedral, LatticePointIsItsOwnCorner) {
  Lanes<3> elevated = {};
  elevated[0][3] = 6;
  elevated[1][3] = elevated[2][3] = -3;
  const Simplices<2> simplices = locate<2>(elevated);
  EXPECT_NEAR(simplices.weight[0][3], 1, 1e-6);
  EXPECT_EQ(simplices.corners(3)[0], pack<2>({6, -3}));
}

// One step along a feature axis from the origin; by hand: deviation 3 sqrt(2/3), scales /sqrt 2 and /sqrt 6.
TEST(Permutohedral, ElevationByHand) {
  const Elevation<2> elevate({0, 0});
  Lanes<2> features = {};
  features[0][0] = 1;
  features[1][1] = 1;
  const Lanes<3> elevated = elevate(features);
  const std::array<std::array<float, 3>, 2> by_hand = {{{1.7320508f, -1.7320508f, 0}, {1, 1, -2}}};
  for (int lane = 0; lane < 2; ++lane) {
    for (int i = 0; i <= 2; ++i) EXPECT_NEAR(elevated[i][lane], by_hand[lane][i], 1e-5) << lane << ' ' << i;
  }
}

TEST(Permutohedral, AnAnchorMovesByWholeLatticePoints) {
  const Elevation<5> origin({0, 0, 0, 0, 0});
  const Elevation<5> anchored({41.3, -17.9, 3.25, 0, 8.5});
  Lanes<5> from_origin = {}, from_anchor = {};
  for (int i = 0; i < 5; ++i) {
    from_origin[i][0] = std::array{41.3f + 1.5f, -17.9f, 3.25f, 2.0f, 8.5f}[i];
    from_anchor[i][0] = std::array{1.5f, 0.0f, 0.0f, 2.0f, 0.0f}[i];
  }
  const Lanes<6> far = origin(from_origin), near = anchored(from_anchor);
  float sum = 0;
  for (int i = 0; i <= 5; ++i) {
    const float steps = (far[i][0] - near[i][0]) / 6.0f;
    EXPECT_NEAR(steps, std::round(steps), 1e-3) << i;
    sum += std::round(steps);
    EXPECT_LT(std::abs(near[i][0]), 40) << "coordinates stay small";
  }
  EXPECT_EQ(sum, 0) << "and on the plane";
}

/// By hand in five dimensions: one down in every coordinate, five up in the axis's own; along the last, which follows, only down.
TEST(LatticeKey, StepsAlongAxesAreAdditions) {
  const Point<5> from = {-7, 12, 0, -30000, 29990};
  const auto steps = axis_steps<5>();
  for (int axis = 0; axis <= 5; ++axis) {
    Point<5> to = from;
    for (int i = 0; i < 5; ++i) to[i] += i == axis ? 5 : -1;
    EXPECT_EQ(pack<5>(from) + steps[axis], pack<5>(to)) << axis;
    EXPECT_EQ(pack<5>(to) - steps[axis], pack<5>(from)) << axis;
  }
}

TEST(PointTable, NumbersInOrderAndFindsAgain) {
  PointTable table(2);
  std::mt19937 random(3);
  std::uniform_int_distribution<std::int32_t> uniform(-30000, 30000);
  std::vector<Key> points;
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    points.push_back(pack<5>({uniform(random), uniform(random), uniform(random), uniform(random), uniform(random)}));
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
  PointTable table;
  const Point<5> base = {-1, -1, -1, -1, -1};
  table.find_or_add(pack<5>(base));
  for (int i = 0; i < 5; ++i) {
    Point<5> other = base;
    other[i] = 0;
    EXPECT_EQ(table.find(pack<5>(other)), 0u) << i;
  }
  PointTable plane;
  plane.find_or_add(pack<2>({1, 2}));
  EXPECT_EQ(plane.find(pack<2>({2, 1})), 0u);
  EXPECT_EQ(plane.find(pack<2>({1, -2})), 0u);
}

}  // namespace
}  // namespace clmnet::nets::lattice
