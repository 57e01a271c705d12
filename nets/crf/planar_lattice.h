#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include "nets/crf/large_memory.h"
#include "nets/crf/lattice_simplex.h"

namespace clmnet::nets::lattice {

/// The permutohedral lattice of two dimensions. Its points lie in rows of the third coordinate, which follows from an image's row alone,
/// and along a row by the difference of the first two, which follows from the column: so all points around a picture are kept in one
/// array, where a point's place and its neighbours' follow from its coordinates, and nothing is searched or stored for a pixel.
/// Filters as Permutohedral<2> does, whose points are those that a pixel touches: the others are kept at 0.
class PlanarLattice {
 public:
  static constexpr int kCorners = 3;
  using Position = std::array<float, 3>;  ///< elevated
  struct Corners {
    Lanes<kCorners, std::uint32_t> local;  ///< places after the strip's first
    Lanes<kCorners> weight;
  };

  /// strip_ends  positions of the first and the last pixel of each strip: between them lie its rows
  /// ends        positions of the picture's first and last pixel
  PlanarLattice(const std::vector<std::array<Position, 2>>& strip_ends, const std::array<Position, 2>& ends) {
    first_row_ = row_of(ends[0]) - kMargin;
    first_pair_ = pair_of(ends[0]) - kMargin;
    rows_ = row_of(ends[1]) + kMargin + 1 - first_row_;
    columns_ = pair_of(ends[1]) + kMargin + 1 - first_pair_;
    std::size_t at = 0;
    for (const auto& strip : strip_ends) {
      const Rows rows{row_of(strip[0]) - kReach - first_row_, row_of(strip[1]) + kReach + 1 - first_row_, at};
      strips_.push_back(rows);
      at += points_in(rows.end - rows.begin);
    }
    fill_with_zeros(splat_, at);
    for (auto* values : {&value_, &blurred_, &touched_}) fill_with_zeros(*values, points_in(rows_));
  }

  float* splat_buffer(std::size_t strip) { return splat_.data() + strips_[strip].at; }
  const float* slice_buffer(std::size_t strip) const { return value_.data() + points_in(strips_[strip].begin); }

  /// As locate<2> finds them, in one go over sixteen positions: of three coordinates only the one of the greatest and the one of the
  /// least rest need to be known.
  Corners corners(std::size_t strip, const Lanes<3>& elevated) const {
    const std::int32_t first = (first_row_ + strips_[strip].begin) * columns_ + first_pair_;
    Corners out;
    for (int lane = 0; lane < kLanes; ++lane) {
      std::array<std::int32_t, 3> steps;
      std::array<float, 3> share;
      for (std::size_t i = 0; i < 3; ++i) {
        const float whole = std::nearbyint(elevated[i][lane] * (1.0f / 3));
        steps[i] = static_cast<std::int32_t>(whole);
        share[i] = (elevated[i][lane] - 3 * whole) * (1.0f / 3);
      }
      const std::int32_t below01 = share[0] < share[1], below02 = share[0] < share[2], below12 = share[1] < share[2];
      std::array<std::int32_t, 3> rank = {below01 + below02, 1 - below01 + below12, 2 - below02 - below12};
      // Each coordinate was rounded on its own: the one that was rounded furthest is taken back to the plane.
      const std::int32_t off = steps[0] + steps[1] + steps[2];
      for (std::size_t i = 0; i < 3; ++i) {
        const std::int32_t moved = rank[i] + off, wrap = (moved < 0) - (moved > 2);
        rank[i] = moved + 3 * wrap;
        steps[i] += wrap;
        share[i] -= static_cast<float>(wrap);
      }
      const float greatest = std::max(std::max(share[0], share[1]), share[2]), least = std::min(std::min(share[0], share[1]), share[2]);
      const float middle = share[0] + share[1] + share[2] - greatest - least;
      out.weight[0][lane] = least + (1 - greatest);
      out.weight[1][lane] = middle - least;
      out.weight[2][lane] = greatest - middle;
      const std::int32_t row = -3 * steps[2], difference = steps[0] - steps[1];
      const auto place = [&](std::int32_t rows, std::int32_t differences) {
        return static_cast<std::uint32_t>((row + rows) * columns_ + ((difference + differences) >> 1) - first);
      };
      out.local[0][lane] = place(0, 0);
      // One step down the axis of the least rest; one up that of the greatest, which is one down both others.
      out.local[1][lane] = place(rank[2] == 2 ? 2 : -1, (rank[1] == 2) - (rank[0] == 2));
      out.local[2][lane] = place(rank[2] == 0 ? -2 : 1, (rank[0] == 0) - (rank[1] == 0));
    }
    return out;
  }

  /// The sums that the strips splatted become the points' values; each point that was touched takes part from then on.
  void touch() {
    gather();
    each_row([&](std::int32_t, float* value, std::size_t begin) {
      for (std::int32_t i = 0; i < columns_; ++i) touched_[begin + static_cast<std::size_t>(i)] = value[i] > 0 ? 1.0f : 0.0f;
    });
    blur();
  }

  /// From what the strips splatted to what they may slice; the splat buffers are zero again.
  void filter() {
    gather();
    blur();
  }

 private:
  static constexpr std::int32_t kReach = 4;   // a corner lies less than three rows from its position
  static constexpr std::int32_t kMargin = kReach + 2;  // and a neighbour up to two rows further

  struct Rows {
    std::int32_t begin = 0, end = 0;  // in the array
    std::size_t at = 0;               // of the strip's part of the splat buffer
  };

  static std::int32_t row_of(const Position& elevated) { return static_cast<std::int32_t>(std::floor(-elevated[2])); }
  /// Points of a row differ by two steps of the difference.
  static std::int32_t pair_of(const Position& elevated) {
    return static_cast<std::int32_t>(std::floor((elevated[0] - elevated[1]) / 6));
  }
  std::size_t points_in(std::int32_t rows) const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns_); }

  /// body(row, its values, place of the first); not the rows at the edge, which stay 0.
  template <typename Body>
  void each_row(const Body& body) {
    tbb::parallel_for(std::int32_t{2}, rows_ - 2, [&](std::int32_t row) { body(row, value_.data() + points_in(row), points_in(row)); });
  }

  /// In the order of strips, so that sums do not depend on threads.
  void gather() {
    each_row([&](std::int32_t row, float* value, std::size_t) {
      std::fill_n(value, columns_, 0.0f);
      for (const Rows& strip : strips_) {
        if (row < strip.begin || row >= strip.end) continue;
        float* sums = splat_.data() + strip.at + points_in(row - strip.begin);
        for (std::int32_t i = 0; i < columns_; ++i) value[i] += sums[i];
        std::fill_n(sums, columns_, 0.0f);
      }
    });
  }

  void blur() {
    for (int axis = 0; axis < 3; ++axis) {
      each_row([&](std::int32_t row, const float* value, std::size_t begin) {
        // One axis leads to the next row and half a pair on, one to the next row and half a pair back, one two rows back. The half is
        // a whole column or none, since rows lie half a pair apart from one to the next.
        const std::ptrdiff_t odd = (row + first_row_) & 1, columns = columns_;
        const std::ptrdiff_t up = axis == 0 ? columns + odd : axis == 1 ? columns - 1 + odd : -2 * columns;
        const std::ptrdiff_t down = axis == 0 ? -columns - 1 + odd : axis == 1 ? -columns + odd : 2 * columns;
        const float* touched = touched_.data() + begin;
        float* out = blurred_.data() + begin;
        for (std::ptrdiff_t i = 1; i < columns - 1; ++i) out[i] = touched[i] * (value[i] + 0.5f * (value[i + up] + value[i + down]));
      });
      value_.swap(blurred_);
    }
  }

  std::int32_t first_row_ = 0, rows_ = 0;      // by minus the third coordinate
  std::int32_t first_pair_ = 0, columns_ = 0;  // by half the difference of the first two, in periods
  std::vector<Rows> strips_;
  LargeVector<float> splat_;                      // strip by strip
  LargeVector<float> value_, blurred_, touched_;  // by place
};

}  // namespace clmnet::nets::lattice
