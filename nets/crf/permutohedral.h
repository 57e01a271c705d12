#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include "nets/crf/lattice_keys.h"

// Gaussian filtering of values at scattered positions of D dimensions: the values are splatted on the corners of the
// lattice simplex each position lies in, blurred along the lattice's D + 1 directions, and sliced back.
// Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the permutohedral lattice".
namespace clmnet::nets::lattice {

/// A position's simplex: its corner of remainder 0, the order of the coordinates within it, the barycentric weights.
template <int D>
struct Simplex {
  std::array<std::int32_t, D + 1> origin, rank;
  std::array<float, D + 1> weight;

  /// Corner k of the simplex (the one whose coordinates are all k modulo D + 1).
  Point<D> corner(int k) const {
    Point<D> point;
    for (int i = 0; i < D; ++i) point[i] = origin[i] + (rank[i] <= D - k ? k : k - (D + 1));
    return point;
  }
};

/// The simplex around a point of the hyperplane (coordinates sum to 0).
template <int D>
Simplex<D> locate(const std::array<float, D + 1>& elevated) {
  constexpr float kStep = D + 1;
  Simplex<D> simplex;
  std::array<float, D + 1> rest;
  int sum = 0;
  for (int i = 0; i <= D; ++i) {
    const auto steps = static_cast<std::int32_t>(std::nearbyint(elevated[i] * (1.0f / kStep)));
    simplex.origin[i] = steps * (D + 1);
    rest[i] = elevated[i] - static_cast<float>(simplex.origin[i]);
    sum += steps;
  }
  simplex.rank = {};
  for (int i = 0; i < D; ++i) {
    for (int j = i + 1; j <= D; ++j) {
      const int below = rest[i] < rest[j];
      simplex.rank[i] += below;
      simplex.rank[j] += 1 - below;
    }
  }
  // Rounding each coordinate on its own can leave the plane by `sum` steps; the coordinates that were rounded furthest
  // are the ones to take back, and those are first or last in rank.
  std::array<float, D + 2> barycentric = {};
  for (int i = 0; i <= D; ++i) {
    int rank = simplex.rank[i] + sum;
    const int wrap = rank < 0 ? 1 : rank > D ? -1 : 0;
    rank += wrap * (D + 1);
    simplex.origin[i] += wrap * (D + 1);
    simplex.rank[i] = rank;
    const float share = (elevated[i] - static_cast<float>(simplex.origin[i])) * (1.0f / kStep);
    barycentric[static_cast<std::size_t>(D - rank)] += share;
    barycentric[static_cast<std::size_t>(D + 1 - rank)] -= share;
  }
  barycentric[0] += 1.0f + barycentric[D + 1];
  for (int k = 0; k <= D; ++k) simplex.weight[k] = barycentric[static_cast<std::size_t>(k)];
  return simplex;
}

/// Takes features (in standard deviations) to the hyperplane, scaled so that the lattice's blur has deviation 1.
/// The origin is moved by a lattice point near `anchor`, which leaves the lattice in place and keeps coordinates small.
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
  std::array<float, D + 1> operator()(const std::array<float, D>& features) const {
    std::array<float, D + 1> elevated;
    float sum = 0;
    for (int i = D; i > 0; --i) {
      const float part = features[i - 1] * scale_[i - 1];
      elevated[i] = offset_[i] + sum - static_cast<float>(i) * part;
      sum += part;
    }
    elevated[0] = offset_[0] + sum;
    return elevated;
  }

 private:
  std::array<float, D> scale_;
  std::array<float, D + 1> offset_;
};

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

/// An array that is written once before it is read; in pages of 2 MiB where the system gives them, since its first
/// touch is else a tenth of the whole filter.
template <typename T>
std::unique_ptr<T[], Free> large_array(std::size_t count) {
  constexpr std::size_t kPage = std::size_t{2} << 20;
  const std::size_t bytes = (count * sizeof(T) + kPage - 1) / kPage * kPage;
  void* memory = std::aligned_alloc(kPage, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  ::madvise(memory, bytes, MADV_HUGEPAGE);  // advice: that it may be refused does not matter
  return std::unique_ptr<T[], Free>(static_cast<T*>(memory));
}

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
  /// position     position(pixel) is its elevated position
  template <typename Position>
  Permutohedral(const std::vector<std::size_t>& strip_begin, const Position& position)
      : corners_(large_array<Corner>(strip_begin.back() * kCorners)) {
    const std::size_t strips = strip_begin.size() - 1;
    std::vector<PointTable<D>> tables(strips);
    tbb::parallel_for(std::size_t{0}, strips, [&](std::size_t strip) {
      locate_strip(strip_begin[strip], strip_begin[strip + 1], position, tables[strip]);
    });
    join(tables);
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

  template <typename Position>
  void locate_strip(std::size_t begin, std::size_t end, const Position& position, PointTable<D>& table) {
    std::array<Point<D>, kCorners> last_point = {};
    std::array<std::uint32_t, kCorners> last_number = {};
    for (std::size_t pixel = begin; pixel < end; ++pixel) {
      Corner* corner = corners(pixel);
      const Simplex<D> simplex = locate<D>(position(pixel));
      for (int k = 0; k < kCorners; ++k) {
        const Point<D> point = simplex.corner(k);
        if (last_number[k] == 0 || point != last_point[k]) {  // pixels side by side often share corners
          last_point[k] = point;
          last_number[k] = table.find_or_add(point);
        }
        corner[k] = {last_number[k], simplex.weight[k]};
      }
    }
  }

  /// Numbers the points of all strips together, in the order of strips, and finds each point's neighbours.
  void join(const std::vector<PointTable<D>>& tables) {
    std::size_t locals = 0, largest = 0;
    for (const auto& table : tables) {
      local_begin_.push_back(locals);
      locals += table.size();
      largest = std::max(largest, table.size());
    }
    PointTable<D> all(2 * largest);
    global_.assign(locals, 0);
    std::vector<std::uint32_t> count;
    for (std::size_t strip = 0; strip < tables.size(); ++strip) {
      for (std::size_t local = 1; local < tables[strip].size(); ++local) {
        if (local + kAhead < tables[strip].size()) all.prefetch(tables[strip][local + kAhead]);
        const std::uint32_t point = all.find_or_add(tables[strip][local]);
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

  /// Along axis a the neighbour is one step down in every coordinate and D up in coordinate a.
  void find_neighbours(const PointTable<D>& all) {
    neighbours_.assign(static_cast<std::size_t>(D + 1) * all.size(), {});
    each(all.size() - 1, [&](std::size_t i) {
      const auto point = static_cast<std::uint32_t>(i + 1);
      std::array<Point<D>, D + 1> up;
      for (int axis = 0; axis <= D; ++axis) {
        for (int c = 0; c < D; ++c) up[axis][c] = all[point][c] - 1 + (c == axis ? D + 1 : 0);
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
  std::vector<std::uint32_t> global_;          // local -> global number
  std::vector<std::size_t> source_begin_;      // global number -> its locals, ...
  std::vector<std::uint32_t> sources_;         // ... in the order of strips
  std::vector<Neighbours> neighbours_;         // axis by axis
  std::vector<float> splat_, slice_;           // by local number
  std::vector<float> value_, blurred_;         // by global number; place 0 stays 0
};

}  // namespace clmnet::nets::lattice
