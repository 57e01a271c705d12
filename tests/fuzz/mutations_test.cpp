// The fuzz target without a fuzzer: the same mutations on every machine. What it must not do is crash, hang, or throw anything
// but the error for users, which read_everything_directly takes.
#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>

#include "tests/fuzz/direct_reader_target.h"
#include "tests/fuzz/fuzz_seeds.h"

namespace clmnet::wsi {
namespace {

int read(const std::string& bytes) {
  return read_everything_directly(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

/// Mutations that files with directories and markers suffer from.
class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string mutate(std::string bytes, const std::string& other) {
    const int times = 1 + static_cast<int>(below(3));
    for (int i = 0; i < times && bytes.size() > 16; ++i) once(bytes, other);
    return bytes;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  /// Half of the places lie in a directory: libtiff writes the first one behind the tiles, and its start is in the header.
  std::size_t place(const std::string& bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    const std::size_t first = byte(2) == 42 ? byte(4) | byte(5) << 8 | byte(6) << 16 : byte(8) | byte(9) << 8 | byte(10) << 16;
    if (below(2) == 0 && first + 8 < bytes.size()) return first + below(std::min<std::size_t>(bytes.size() - first - 7, 420));
    return below(bytes.size() - 8);
  }

  void once(std::string& bytes, const std::string& other) {
    static constexpr std::array<std::uint64_t, 14> kNumbers{0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffffffffffff};
    const std::size_t at = place(bytes);
    switch (below(6)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: {
        const std::uint64_t number = kNumbers[below(kNumbers.size())];
        const std::size_t width = std::size_t{1} << below(4);
        for (std::size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<char>(number >> (8 * i));
        break;
      }
      case 2: bytes.erase(at, 1 + below(40)); break;
      case 3: bytes.insert(at, bytes.substr(place(bytes), 1 + below(40))); break;
      case 4: bytes.replace(at, 8, other.substr(below(other.size() - 8), 8)); break;
      default: bytes.resize(8 + below(bytes.size() - 8)); break;
    }
  }

  std::mt19937 random_;
};

TEST(Mutations, EverySeedIsReadWhole) {
  for (const auto& seed : fuzz_seeds()) EXPECT_GT(read(seed), 0);
}

TEST(Mutations, ThreeThousandDamagedSlidesNeitherCrashNorThrow) {
  const auto seeds = fuzz_seeds();
  Mutator mutator(20240607);
  int refused = 0, read_in_part = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto& seed = seeds[static_cast<std::size_t>(i) % seeds.size()];
    const std::string damaged = mutator.mutate(seed, seeds[static_cast<std::size_t>(i / 7) % seeds.size()]);
    int whole = 0;
    ASSERT_NO_THROW(whole = read(damaged)) << "mutation " << i;
    ++(whole > 0 ? read_in_part : refused);
  }
  EXPECT_GT(refused, 300);
  EXPECT_GT(read_in_part, 300);
}

TEST(Mutations, NothingAndAlmostNothing) {
  EXPECT_EQ(read(""), 0);
  EXPECT_EQ(read("II*"), 0);
  EXPECT_EQ(read(std::string("II*\0\x08\0\0\0", 8)), 0);
  EXPECT_EQ(read(std::string("II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16)), 0);
  EXPECT_EQ(read(std::string("MM\0*\0\0\0\0", 8)), 0);
}

}  // namespace
}  // namespace clmnet::wsi
