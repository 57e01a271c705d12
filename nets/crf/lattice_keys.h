#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "nets/crf/large_memory.h"

namespace clmnet::nets::lattice {

/// A point of the lattice by its first D coordinates; the last one follows, since they sum to 0.
template <int D>
using Point = std::array<std::int32_t, D>;

/// A point's coordinates side by side in one number, each moved to be positive, so that a step on the lattice is one addition.
struct Key {
  std::uint64_t low = 0;
  std::uint32_t high = 0;

  bool operator==(const Key&) const = default;
  constexpr Key operator+(const Key& step) const { return {low + step.low, high + step.high}; }
  constexpr Key operator-(const Key& step) const { return {low - step.low, high - step.high}; }
};

/// One step along coordinate i; none along the last, which follows. Coordinates have 32 bits in two dimensions, 16 in five.
template <int D>
constexpr Key unit(int i) {
  static_assert(D == 2 || D == 5);
  constexpr int kBits = D == 2 ? 32 : 16, kInLow = 64 / kBits;
  if (i >= D) return {};
  return i < kInLow ? Key{std::uint64_t{1} << (kBits * i), 0} : Key{0, 1};
}

constexpr Key times(std::int64_t factor, const Key& step) {
  return {static_cast<std::uint64_t>(factor) * step.low, static_cast<std::uint32_t>(factor) * step.high};
}

template <int D>
constexpr Key pack(const Point<D>& point) {
  constexpr std::int64_t kMiddle = D == 2 ? std::int64_t{1} << 31 : 1 << 15;
  Key key;
  for (int i = 0; i < D; ++i) key = key + times(point[i] + kMiddle, unit<D>(i));
  return key;
}

/// To a point's neighbour along each axis: one down in every coordinate and D up in the axis's own.
template <int D>
constexpr std::array<Key, D + 1> axis_steps() {
  std::array<Key, D + 1> steps;
  for (int axis = 0; axis <= D; ++axis) {
    steps[axis] = times(D + 1, unit<D>(axis));
    for (int i = 0; i < D; ++i) steps[axis] = steps[axis] - unit<D>(i);
  }
  return steps;
}

inline std::uint64_t hash_of(const Key& key) {
  std::uint64_t hash = (key.low ^ (std::uint64_t{key.high} * 0xc2b2ae3d27d4eb4full)) * 0x9e3779b97f4a7c15ull;
  hash ^= hash >> 29;
  return hash * 0x94d049bb133111ebull;
}

/// Points by number, from 1 in the order they came; 0 stands for none. Open addressing, at most half full.
class PointTable {
 public:
  explicit PointTable(std::size_t expected = 1024) {
    while ((std::size_t{1} << bits_) < 2 * expected) ++bits_;
    slots_.assign(std::size_t{1} << bits_, Slot{});
    keys_.reserve(expected);
    keys_.resize(1);
  }

  /// The points by number, of which the first is nobody; the table is then empty and keeps its memory.
  std::vector<Key> take() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    std::vector<Key> keys;
    keys.reserve(keys_.size());  // the next will be about as many
    keys.resize(1);
    keys_.swap(keys);
    return keys;
  }

  std::uint32_t find_or_add(const Key& key) {
    std::size_t at = home(key);
    for (; slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].low == key.low && slots_[at].high == key.high) return slots_[at].number;
    }
    const auto number = static_cast<std::uint32_t>(keys_.size());
    slots_[at] = {key.low, key.high, number};
    keys_.push_back(key);
    if (2 * keys_.size() > slots_.size()) grow();
    return number;
  }

  std::uint32_t find(const Key& key) const {
    for (std::size_t at = home(key); slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].low == key.low && slots_[at].high == key.high) return slots_[at].number;
    }
    return 0;
  }

  /// Asks for the place of a point ahead of its search.
  void prefetch(const Key& key) const { __builtin_prefetch(&slots_[home(key)]); }

  /// One more than the number of points: place 0 is nobody's.
  std::size_t size() const { return keys_.size(); }
  const Key& operator[](std::size_t number) const { return keys_[number]; }

 private:
  struct Slot {
    std::uint64_t low = 0;
    std::uint32_t high = 0;
    std::uint32_t number = 0;
  };

  std::size_t home(const Key& key) const { return static_cast<std::size_t>(hash_of(key) >> (64 - bits_)); }

  void grow() {
    ++bits_;
    slots_.assign(std::size_t{1} << bits_, Slot{});
    for (std::size_t number = 1; number < keys_.size(); ++number) {
      std::size_t at = home(keys_[number]);
      while (slots_[at].number != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = {keys_[number].low, keys_[number].high, static_cast<std::uint32_t>(number)};
    }
  }

  int bits_ = 6;
  LargeVector<Slot> slots_;
  std::vector<Key> keys_;
};

}  // namespace clmnet::nets::lattice
