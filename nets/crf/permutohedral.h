#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include "nets/crf/large_memory.h"
#include "nets/crf/lattice_keys.h"
#include "nets/crf/lattice_simplex.h"

// Gaussian filtering of values at scattered positions of D dimensions: the values are splatted on the corners of the
// lattice simplex each position lies in, blurred along the lattice's D + 1 directions, and sliced back.
// Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the permutohedral lattice".
namespace clmnet::nets::lattice {

/// The filter over a picture cut into strips. Each strip numbers the lattice points it touches by itself and splats
/// into its own buffer; a strip's buffer is small and needs no locks, and sums are taken strip by strip in a fixed
/// order, so that results do not depend on the number of threads.
template <int D>
class Permutohedral {
 public:
  struct Corner {
    std::uint32_t local;  ///< number within the strip, from 1
    float weight;
  };
  static constexpr int kCorners = D + 1;
  static constexpr std::size_t kAhead = 8;  // table places that are asked for before they are needed

  /// strip_begin  first pixel of each strip, then the number of pixels
  /// positions    positions(first, count) are the elevated positions of up to kLanes pixels
  template <typename Positions>
  Permutohedral(const std::vector<std::size_t>& strip_begin, const Positions& positions)
      : corners_(large_array<Corner>(strip_begin.back() * kCorners)) {
    const std::size_t strips = strip_begin.size() - 1;
    std::vector<std::vector<Key>> points(strips);
    tbb::enumerable_thread_specific<PointTable> tables;
    tbb::parallel_for(std::size_t{0}, strips, [&](std::size_t strip) {
      PointTable& table = tables.local();
      locate_strip(strip_begin[strip], strip_begin[strip + 1], positions, table);
      points[strip] = table.take();
    });
    join(points);
    normalise(strip_begin);
  }

  Corner* corners(std::size_t pixel) { return corners_.get() + pixel * kCorners; }
  /// Where a strip splats to: sums by local number.
  float* splat_buffer(std::size_t strip) { return splat_.data() + local_begin_[strip]; }
  /// What a strip slices from.
  const float* slice_buffer(std::size_t strip) const { return slice_.data() + local_begin_[strip]; }

  /// From what the strips splatted to what they may slice; the splat buffers are zero again.
  void filter() {
    each(value_.size() - 1, [&](std::size_t i) {
      const std::size_t point = i + 1;
      float sum = 0;
      for (std::size_t k = source_begin_[point]; k < source_begin_[point + 1]; ++k) sum += splat_[sources_[k]];
      value_[point] = sum;
    });
    for (int axis = 0; axis <= D; ++axis) {
      const Neighbours* neighbours = neighbours_.data() + static_cast<std::size_t>(axis) * value_.size();
      each(value_.size() - 1, [&](std::size_t i) {
        const Neighbours& next = neighbours[i + 1];
        blurred_[i + 1] = value_[i + 1] + 0.5f * (value_[next.up] + value_[next.down]);
      });
      value_.swap(blurred_);
    }
    // The factor that Adams et al. give for the blur's mass; it cancels in the normalisation but for rounding.
    constexpr float kMass = 1.0f / (1.0f + 1.0f / (1 << D));
    each(global_.size(), [&](std::size_t local) {
      slice_[local] = kMass * value_[global_[local]];
      splat_[local] = 0;
    });
  }

 private:
  struct Neighbours {
    std::uint32_t up = 0, down = 0;
  };

  template <typename Body>
  static void each(std::size_t count, const Body& body) {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 8192), [&](const auto& range) {
      for (std::size_t i = range.begin(); i != range.end(); ++i) body(i);
    });
  }

  template <typename Positions>
  void locate_strip(std::size_t begin, std::size_t end, const Positions& positions, PointTable& table) {
    std::array<Key, kCorners> last_key = {};
    std::array<std::uint32_t, kCorners> last_number = {};
    for (std::size_t first = begin; first < end; first += kLanes) {
      const auto count = static_cast<int>(std::min<std::size_t>(kLanes, end - first));
      const Simplices<D> simplices = locate<D>(positions(first, count));
      for (int lane = 0; lane < count; ++lane) {
        Corner* corner = corners(first + static_cast<std::size_t>(lane));
        const std::array<Key, kCorners> keys = simplices.corners(lane);
        for (int k = 0; k < kCorners; ++k) {
          if (last_number[k] == 0 || keys[k] != last_key[k]) {  // pixels side by side often share corners
            last_key[k] = keys[k];
            last_number[k] = table.find_or_add(keys[k]);
          }
          corner[k] = {last_number[k], simplices.weight[k][lane]};
        }
      }
    }
  }

  /// Numbers the points of all strips together, in the order of strips, and finds each point's neighbours.
  void join(const std::vector<std::vector<Key>>& points) {
    std::size_t locals = 0;
    for (const auto& strip : points) {
      local_begin_.push_back(locals);
      locals += strip.size();
    }
    PointTable all(locals);
    global_.assign(locals, 0);
    std::vector<std::uint32_t> count;
    for (std::size_t strip = 0; strip < points.size(); ++strip) {
      const std::vector<Key>& own = points[strip];
      for (std::size_t local = 1; local < own.size(); ++local) {
        if (local + kAhead < own.size()) all.prefetch(own[local + kAhead]);
        const std::uint32_t point = all.find_or_add(own[local]);
        global_[local_begin_[strip] + local] = point;
        if (point >= count.size()) count.resize(point + std::size_t{1}, 0);
        ++count[point];
      }
    }
    count.resize(all.size(), 0);
    source_begin_.assign(all.size() + 1, 0);
    for (std::size_t point = 0; point < all.size(); ++point) {
      source_begin_[point + 1] = source_begin_[point] + count[point];
    }
    sources_.resize(source_begin_.back());
    std::vector<std::size_t> next(source_begin_.begin(), source_begin_.end() - 1);
    for (std::size_t local = 0; local < locals; ++local) {
      if (global_[local] != 0) sources_[next[global_[local]]++] = static_cast<std::uint32_t>(local);
    }
    find_neighbours(all);
    value_.assign(all.size(), 0.0f);
    blurred_.assign(all.size(), 0.0f);
    splat_.assign(locals, 0.0f);
    slice_.assign(locals, 0.0f);
  }

  void find_neighbours(const PointTable& all) {
    neighbours_.assign(static_cast<std::size_t>(D + 1) * all.size(), {});
    constexpr std::array<Key, D + 1> kSteps = axis_steps<D>();
    each(all.size() - 1, [&](std::size_t i) {
      const auto point = static_cast<std::uint32_t>(i + 1);
      std::array<Key, D + 1> up;
      for (int axis = 0; axis <= D; ++axis) {
        up[axis] = all[point] + kSteps[axis];
        all.prefetch(up[axis]);
      }
      for (int axis = 0; axis <= D; ++axis) {
        const std::uint32_t found = all.find(up[axis]);
        if (found == 0) continue;
        // One search serves both ends, and no other point writes to these two places.
        Neighbours* neighbours = neighbours_.data() + static_cast<std::size_t>(axis) * all.size();
        neighbours[point].up = found;
        neighbours[found].down = point;
      }
    });
  }

  /// Scales the corner weights so that splat, filter, slice applies N^-1/2 K N^-1/2, with N the row sums of K.
  void normalise(const std::vector<std::size_t>& strip_begin) {
    const std::size_t strips = strip_begin.size() - 1;
    tbb::parallel_for(std::size_t{0}, strips, [&](std::size_t strip) {
      float* sums = splat_buffer(strip);
      const Corner* end = corners(strip_begin[strip + 1]);
      for (const Corner* corner = corners(strip_begin[strip]); corner != end; ++corner) {
        sums[corner->local] += corner->weight;
      }
    });
    filter();
    tbb::parallel_for(std::size_t{0}, strips, [&](std::size_t strip) {
      const float* values = slice_buffer(strip);
      for (std::size_t pixel = strip_begin[strip]; pixel < strip_begin[strip + 1]; ++pixel) {
        Corner* corner = corners(pixel);
        float sum = 0;
        for (int k = 0; k < kCorners; ++k) sum += corner[k].weight * values[corner[k].local];
        const float scale = 1.0f / std::sqrt(sum + 1e-20f);
        for (int k = 0; k < kCorners; ++k) corner[k].weight *= scale;
      }
    });
  }

  std::unique_ptr<Corner[], Free> corners_;
  std::vector<std::size_t> local_begin_;       // of each strip in the arrays by local number
  LargeVector<std::uint32_t> global_;          // local -> global number
  LargeVector<std::size_t> source_begin_;      // global number -> its locals, ...
  LargeVector<std::uint32_t> sources_;         // ... in the order of strips
  LargeVector<Neighbours> neighbours_;         // axis by axis
  LargeVector<float> splat_, slice_;           // by local number
  LargeVector<float> value_, blurred_;         // by global number; place 0 stays 0
};

}  // namespace clmnet::nets::lattice
