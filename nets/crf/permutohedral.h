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
    std::uint32_t up, down;
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

  /// Part of all points by their hash, each of which is numbered by itself, so that parts are joined beside each other. How many there
  /// are decides on the order of points and thus on nothing that is seen.
  static constexpr std::size_t kParts = 8;
  struct Part {
    PointTable table{0};
    LargeVector<std::uint32_t> members;  // local numbers of its points, in the order of strips
    std::uint32_t first = 0;             // global number of its first point
    std::size_t first_source = 0;
  };
  static std::size_t part_of(const Key& key) { return (hash_of(key) >> 16) % kParts; }

  /// Numbers the points of all strips together and finds each point's neighbours.
  void join(const std::vector<std::vector<Key>>& points) {
    std::size_t locals = 0;
    for (const auto& strip : points) {
      local_begin_.push_back(locals);
      locals += strip.size();
    }
    fill_with_zeros(global_, locals);
    std::array<Part, kParts> parts;
    tbb::parallel_for(std::size_t{0}, kParts, [&](std::size_t p) { number_part(points, p, locals / kParts, parts[p]); });
    std::uint32_t first = 1;
    std::size_t first_source = 0;
    for (Part& part : parts) {
      part.first = first;
      part.first_source = first_source;
      first += static_cast<std::uint32_t>(part.table.size() - 1);
      first_source += part.members.size();
    }
    source_begin_.resize(first + std::size_t{1});
    source_begin_[0] = 0;
    source_begin_[first] = static_cast<std::uint32_t>(first_source);
    sources_.resize(first_source);
    tbb::parallel_for(std::size_t{0}, kParts, [&](std::size_t p) { list_sources(parts[p]); });
    find_neighbours(parts, first);
    for (auto* values : {&value_, &blurred_}) fill_with_zeros(*values, first);
    for (auto* values : {&splat_, &slice_}) fill_with_zeros(*values, locals);
  }

  /// global_ holds numbers within the part until its sources are listed.
  void number_part(const std::vector<std::vector<Key>>& points, std::size_t p, std::size_t expected, Part& part) {
    part.table = PointTable(expected);
    part.members.reserve(expected);
    for (std::size_t strip = 0; strip < points.size(); ++strip) {
      const std::vector<Key>& own = points[strip];
      for (std::size_t local = 1; local < own.size(); ++local) {
        if (local + kAhead < own.size() && part_of(own[local + kAhead]) == p) part.table.prefetch(own[local + kAhead]);
        if (part_of(own[local]) != p) continue;
        const std::size_t member = local_begin_[strip] + local;
        global_[member] = part.table.find_or_add(own[local]);
        part.members.push_back(static_cast<std::uint32_t>(member));
      }
    }
  }

  void list_sources(Part& part) {
    std::vector<std::uint32_t> next(part.table.size() + 1, 0);  // by number within the part: how many, then where the next one goes
    for (const std::uint32_t member : part.members) ++next[global_[member] + 1];
    next[0] = next[1] = static_cast<std::uint32_t>(part.first_source);
    for (std::size_t number = 2; number < next.size(); ++number) next[number] += next[number - 1];
    for (std::size_t number = 1; number < part.table.size(); ++number) source_begin_[part.first + number - 1] = next[number];
    for (const std::uint32_t member : part.members) {
      sources_[next[global_[member]]++] = member;
      global_[member] += part.first - 1;
    }
  }

  void find_neighbours(const std::array<Part, kParts>& parts, std::size_t points) {
    fill_with_zeros(neighbours_, static_cast<std::size_t>(D + 1) * points);
    constexpr std::array<Key, D + 1> kSteps = axis_steps<D>();
    for (const Part& part : parts) {
      each(part.table.size() - 1, [&](std::size_t i) {
        const auto point = part.first + static_cast<std::uint32_t>(i);
        std::array<Key, D + 1> up;
        for (int axis = 0; axis <= D; ++axis) {
          up[axis] = part.table[i + 1] + kSteps[axis];
          parts[part_of(up[axis])].table.prefetch(up[axis]);
        }
        for (int axis = 0; axis <= D; ++axis) {
          const Part& other = parts[part_of(up[axis])];
          const std::uint32_t number = other.table.find(up[axis]);
          if (number == 0) continue;
          const std::uint32_t found = other.first + number - 1;
          // One search serves both ends, and no other point writes to these two places.
          Neighbours* neighbours = neighbours_.data() + static_cast<std::size_t>(axis) * points;
          neighbours[point].up = found;
          neighbours[found].down = point;
        }
      });
    }
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
  LargeVector<std::uint32_t> source_begin_;     // global number -> its locals, ...
  LargeVector<std::uint32_t> sources_;         // ... in the order of strips
  LargeVector<Neighbours> neighbours_;         // axis by axis
  LargeVector<float> splat_, slice_;           // by local number
  LargeVector<float> value_, blurred_;         // by global number; place 0 stays 0
};

}  // namespace clmnet::nets::lattice
