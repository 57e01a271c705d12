#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "nets/crf/lattice_keys.h"

// Where positions lie on the permutohedral lattice, sixteen at a time: coordinate by coordinate, so that loops over positions become
// vector code.
namespace clmnet::nets::lattice {

constexpr int kLanes = 16;
/// N numbers of each of sixteen positions.
template <int N, typename Number = float>
using Lanes = std::array<std::array<Number, kLanes>, N>;

/// Takes features (in standard deviations) to the hyperplane where coordinates sum to 0, scaled so that the lattice's blur has
/// deviation 1. The origin is moved by a lattice point near `anchor`, which leaves the lattice in place and keeps coordinates small.
template <int D>
class Elevation {
 public:
  explicit Elevation(const std::array<double, D>& anchor) {
    const double deviation = std::sqrt(2.0 / 3.0) * (D + 1);
    for (int i = 0; i < D; ++i) scale_[i] = static_cast<float>(deviation / std::sqrt((i + 1.0) * (i + 2.0)));
    std::array<double, D + 1> elevated;
    double sum = 0;
    for (int i = D; i > 0; --i) {
      const double part = anchor[i - 1] * deviation / std::sqrt(i * (i + 1.0));
      elevated[i] = sum - i * part;
      sum += part;
    }
    elevated[0] = sum;
    double moved = 0;
    for (int i = 1; i <= D; ++i) {
      const double steps = std::nearbyint(elevated[i] / (D + 1)) * (D + 1);
      offset_[i] = static_cast<float>(elevated[i] - steps);
      moved += steps;
    }
    offset_[0] = static_cast<float>(elevated[0] + moved);
  }

  /// features: relative to the anchor.
  Lanes<D + 1> operator()(const Lanes<D>& features) const {
    Lanes<D + 1> elevated;
    std::array<float, kLanes> sum = {};
    for (int i = D; i > 0; --i) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const float part = features[i - 1][lane] * scale_[i - 1];
        elevated[i][lane] = offset_[i] + sum[lane] - static_cast<float>(i) * part;
        sum[lane] += part;
      }
    }
    for (int lane = 0; lane < kLanes; ++lane) elevated[0][lane] = offset_[0] + sum[lane];
    return elevated;
  }

 private:
  std::array<float, D> scale_;
  std::array<float, D + 1> offset_;
};

/// The simplices around sixteen positions: each one's corner of remainder 0, the order of its coordinates by what is left of them above
/// that corner (the greatest first), the barycentric weights of its corners.
template <int D>
struct Simplices {
  Lanes<D + 1, std::int32_t> origin, order;
  Lanes<D + 1> weight;

  /// The corners of one simplex; corner k is the one whose coordinates are all k modulo D + 1.
  std::array<Key, D + 1> corners(int lane) const {
    constexpr std::array<Key, D + 1> kSteps = axis_steps<D>();
    Point<D> first;
    for (int i = 0; i < D; ++i) first[i] = origin[i][lane];
    std::array<Key, D + 1> keys;
    keys[0] = pack<D>(first);
    for (int k = 1; k <= D; ++k) keys[k] = keys[k - 1] - kSteps[static_cast<std::size_t>(order[D + 1 - k][lane])];
    return keys;
  }
};

/// `elevated`: on the hyperplane.
template <int D>
Simplices<D> locate(const Lanes<D + 1>& elevated) {
  constexpr float kStep = D + 1;
  Simplices<D> out;
  Lanes<D + 1> rest;
  Lanes<D + 1, std::int32_t> rank = {};
  std::array<std::int32_t, kLanes> sum = {};
  for (int i = 0; i <= D; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto steps = static_cast<std::int32_t>(std::nearbyint(elevated[i][lane] * (1.0f / kStep)));
      out.origin[i][lane] = steps * (D + 1);
      rest[i][lane] = elevated[i][lane] - static_cast<float>(out.origin[i][lane]);
      sum[lane] += steps;
    }
  }
  for (int i = 0; i < D; ++i) {
    for (int j = i + 1; j <= D; ++j) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const std::int32_t below = rest[i][lane] < rest[j][lane];
        rank[i][lane] += below;
        rank[j][lane] += 1 - below;
      }
    }
  }
  // Rounding each coordinate on its own can leave the plane by `sum` steps; the coordinates that were rounded furthest
  // are the ones to take back, and those are first or last in rank.
  Lanes<D + 1> share;
  for (int i = 0; i <= D; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int32_t moved = rank[i][lane] + sum[lane];
      const std::int32_t wrap = (moved < 0 ? D + 1 : 0) - (moved > D ? D + 1 : 0);
      rank[i][lane] = moved + wrap;
      out.origin[i][lane] += wrap;
      share[i][lane] = (elevated[i][lane] - static_cast<float>(out.origin[i][lane])) * (1.0f / kStep);
    }
  }
  Lanes<D + 1> sorted;
  for (int i = 0; i <= D; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto place = static_cast<std::size_t>(rank[i][lane]);
      sorted[place][lane] = share[i][lane];
      out.order[place][lane] = i;
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) out.weight[0][lane] = sorted[D][lane] + (1.0f - sorted[0][lane]);
  for (int k = 1; k <= D; ++k) {
    for (int lane = 0; lane < kLanes; ++lane) out.weight[k][lane] = sorted[D - k][lane] - sorted[D + 1 - k][lane];
  }
  return out;
}

}  // namespace clmnet::nets::lattice
