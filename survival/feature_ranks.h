#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include "survival/decision_tree.h"
#include "survival/random.h"

namespace clmnet::survival {

/// Each value replaced by its place among the feature's distinct values (0 is the smallest): sorting a node's rows then
/// compares small integers, and equal values compare equal. Rank is std::uint16_t where rows <= 65,536.
template <class Rank>
struct FeatureRanks {
  int rows = 0;
  std::vector<Rank> ranks;             ///< [features][rows]
  std::vector<std::uint32_t> distinct; ///< [features]

  const Rank* of(int feature) const { return ranks.data() + static_cast<std::size_t>(feature) * rows; }

  /// x [n, p]; row i of the result is row order[i] of x.
  FeatureRanks(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<std::int32_t>& order, int threads)
      : rows(static_cast<int>(x.rows())),
        ranks(static_cast<std::size_t>(x.size())),
        distinct(static_cast<std::size_t>(x.cols())) {
    for_each_index(static_cast<int>(x.cols()), threads, [&](int feature) {
      struct Entry {
        double value;
        std::uint32_t row;
      };
      std::vector<Entry> sorted(static_cast<std::size_t>(rows));
      for (int i = 0; i < rows; ++i) sorted[i] = {x(order[i], feature), static_cast<std::uint32_t>(i)};
      std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
      Rank* out = ranks.data() + static_cast<std::size_t>(feature) * rows;
      std::uint32_t rank = 0;
      for (std::size_t i = 0; i < sorted.size(); ++i) {
        if (i > 0 && sorted[i].value > sorted[i - 1].value) ++rank;
        out[sorted[i].row] = static_cast<Rank>(rank);
      }
      distinct[feature] = rank + 1;
    });
  }
};

/// Sorts keys by their bits from `shift` up; `bits` of them can differ. Least significant digit first, 8 bits a pass,
/// insertion sort for short inputs. `scratch` must hold as many keys.
template <class Key>
void sort_keys(Key* keys, Key* scratch, std::size_t count, int shift, int bits) {
  constexpr std::size_t kInsertion = 48;
  if (count <= kInsertion) {
    for (std::size_t i = 1; i < count; ++i) {
      const Key key = keys[i];
      std::size_t j = i;
      for (; j > 0 && keys[j - 1] > key; --j) keys[j] = keys[j - 1];
      keys[j] = key;
    }
    return;
  }
  Key* from = keys;
  Key* to = scratch;
  for (int done = 0; done < bits; done += 8) {
    std::uint32_t start[256] = {};
    const int digit = shift + done;
    for (std::size_t i = 0; i < count; ++i) ++start[(from[i] >> digit) & 255];
    std::uint32_t sum = 0;
    for (auto& entry : start) {
      const std::uint32_t here = entry;
      entry = sum;
      sum += here;
    }
    for (std::size_t i = 0; i < count; ++i) to[start[(from[i] >> digit) & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != keys) std::copy(from, from + count, keys);
}

/// Draws features without replacement and calls visit(feature), which says whether the feature varies in the node, for
/// `per_split` of them; with `until_one_varies` for more, until one does. `order` holds every feature once, in any order.
template <class Visit>
void visit_drawn_features(Random& random, std::vector<int>& order, int per_split, bool until_one_varies, Visit visit) {
  const auto features = static_cast<std::uint32_t>(order.size());
  bool any_varies = false;
  for (std::uint32_t drawn = 0; drawn < features; ++drawn) {
    if (drawn >= static_cast<std::uint32_t>(per_split) && (any_varies || !until_one_varies)) return;
    std::swap(order[drawn], order[drawn + random.below(features - drawn)]);
    any_varies |= visit(order[drawn]);
  }
}

/// The value at which rows split: halfway between the neighbours `below` and `above`, and never `above` itself.
inline double cut_between(double below, double above) {
  const double middle = below + (above - below) / 2;
  return middle < above && middle >= below ? middle : below;
}

/// The number of bits that ranks below `distinct` need.
inline int rank_bits(std::uint32_t distinct) {
  int bits = 0;
  while (distinct > 1 && bits < 32 && ((distinct - 1) >> bits) != 0) ++bits;
  return bits;
}

}  // namespace clmnet::survival
