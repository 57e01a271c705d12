#pragma once

#include <array>
#include <cstdint>

namespace clmnet::survival {

/// xoshiro256++ (Blackman & Vigna 2021, ACM TOMS 47(4)), seeded through SplitMix64. The standard library's distributions
/// differ from one implementation to the next; this gives the same draws everywhere.
class Random {
 public:
  /// Streams of one seed are independent for all practical purposes: (seed, 0), (seed, 1), …
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) {
    std::uint64_t state = split_mix(seed) ^ (stream * 0xD1342543DE82EF95ULL + 0x9E3779B97F4A7C15ULL);
    for (auto& word : state_) {
      state += 0x9E3779B97F4A7C15ULL;
      word = split_mix(state);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// Uniform in 0 … bound-1, without bias (Lemire 2019, ACM TOMACS 29(1)). bound must be > 0.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = (next() >> 32) * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0u - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = (next() >> 32) * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  static std::uint64_t rotate(std::uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }
  static std::uint64_t split_mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
  }
  std::array<std::uint64_t, 4> state_;
};

}  // namespace clmnet::survival
