#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace clmnet::nets::lattice {

/// A point of the lattice by its first D coordinates; the last one follows, since they sum to 0.
template <int D>
using Point = std::array<std::int32_t, D>;

/// Points by number, from 1 in the order they came; 0 stands for none. Open addressing, at most half full.
/// Coordinates must fit 32 bits in two dimensions, 16 bits in five.
template <int D>
class PointTable {
 public:
  explicit PointTable(std::size_t expected = 1024) {
    while ((std::size_t{1} << bits_) < 2 * expected) ++bits_;
    slots_.resize(std::size_t{1} << bits_);
    points_.resize(1);
  }

  std::uint32_t find_or_add(const Point<D>& point) {
    const Key key = pack(point);
    std::size_t at = home(key);
    for (; slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].low == key.low && slots_[at].high == key.high) return slots_[at].number;
    }
    const auto number = static_cast<std::uint32_t>(points_.size());
    slots_[at] = {key.low, key.high, number};
    points_.push_back(point);
    if (2 * points_.size() > slots_.size()) grow();
    return number;
  }

  std::uint32_t find(const Point<D>& point) const {
    const Key key = pack(point);
    for (std::size_t at = home(key); slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].low == key.low && slots_[at].high == key.high) return slots_[at].number;
    }
    return 0;
  }

  /// Asks for the place of a point ahead of its search.
  void prefetch(const Point<D>& point) const { __builtin_prefetch(&slots_[home(pack(point))]); }

  /// One more than the number of points: place 0 is nobody's.
  std::size_t size() const { return points_.size(); }
  const Point<D>& operator[](std::size_t number) const { return points_[number]; }

 private:
  struct Key {
    std::uint64_t low;
    std::uint32_t high;
  };
  struct Slot {
    std::uint64_t low = 0;
    std::uint32_t high = 0;
    std::uint32_t number = 0;
  };

  static Key pack(const Point<D>& point) {
    static_assert(D == 2 || D == 5);
    if constexpr (D == 2) {
      return {static_cast<std::uint32_t>(point[0]) | std::uint64_t{static_cast<std::uint32_t>(point[1])} << 32, 0};
    } else {
      const auto part = [&](std::size_t i) { return std::uint64_t{static_cast<std::uint16_t>(point[i])}; };
      return {part(0) | part(1) << 16 | part(2) << 32 | part(3) << 48, static_cast<std::uint32_t>(part(4))};
    }
  }

  std::size_t home(const Key& key) const {
    std::uint64_t hash = (key.low ^ (std::uint64_t{key.high} * 0xc2b2ae3d27d4eb4full)) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
    return static_cast<std::size_t>((hash * 0x94d049bb133111ebull) >> (64 - bits_));
  }

  void grow() {
    ++bits_;
    slots_.assign(std::size_t{1} << bits_, Slot{});
    for (std::size_t number = 1; number < points_.size(); ++number) {
      const Key key = pack(points_[number]);
      std::size_t at = home(key);
      while (slots_[at].number != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = {key.low, key.high, static_cast<std::uint32_t>(number)};
    }
  }

  int bits_ = 6;
  std::vector<Slot> slots_;
  std::vector<Point<D>> points_;
};

}  // namespace clmnet::nets::lattice
