#include "nets/crf/planar_lattice.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "nets/crf/permutohedral.h"

namespace clmnet::nets::lattice {
namespace {

/// Pixels of a picture with holes, in strips of any length.
struct Pixels {
  std::vector<std::array<float, 2>> at;  // column and row
  std::vector<std::size_t> strips;
  int height, width;
};

Pixels draw_pixels(unsigned seed) {
  std::mt19937 random(seed);
  Pixels pixels;
  pixels.height = 5 + static_cast<int>(random() % 60);
  pixels.width = 5 + static_cast<int>(random() % 60);
  for (int y = 0; y < pixels.height; ++y) {
    for (int x = 0; x < pixels.width; ++x) {
      const bool hole = (x / 9 + y / 7) % 3 == 0 && seed % 2 == 1;
      if (!hole) pixels.at.push_back({static_cast<float>(x), static_cast<float>(y)});
    }
  }
  for (std::size_t i = 0; i < pixels.at.size(); i += 1 + random() % 400) pixels.strips.push_back(i);
  pixels.strips.push_back(pixels.at.size());
  return pixels;
}

Lanes<3> elevate_pixels(const Elevation<2>& elevate, const std::array<float, 2>* at, int count, float per_px) {
  Lanes<2> features = {};
  for (int lane = 0; lane < count; ++lane) {
    for (std::size_t i = 0; i < 2; ++i) features[i][lane] = at[lane][i] * per_px;
  }
  return elevate(features);
}

/// body(pixel, local, weight) for every corner of every pixel of a strip.
template <typename Body>
void for_each_corner(const PlanarLattice& lattice, const Pixels& pixels, const Elevation<2>& elevate, float per_px, const Body& body) {
  for (std::size_t strip = 0; strip + 1 < pixels.strips.size(); ++strip) {
    for (std::size_t i = pixels.strips[strip]; i < pixels.strips[strip + 1]; i += kLanes) {
      const auto count = static_cast<int>(std::min<std::size_t>(kLanes, pixels.strips[strip + 1] - i));
      const auto corners = lattice.corners(strip, elevate_pixels(elevate, &pixels.at[i], count, per_px));
      for (int lane = 0; lane < count; ++lane) {
        for (std::size_t k = 0; k < 3; ++k) body(strip, i + static_cast<std::size_t>(lane), corners.local[k][lane], corners.weight[k][lane]);
      }
    }
  }
}

/// N^-1/2 K N^-1/2 values, twice filtered, with the points in an array.
std::vector<float> filter_planar(const Pixels& pixels, const Elevation<2>& elevate, float per_px, std::vector<float> values) {
  const auto position = [&](float x, float y) {
    const std::array<float, 2> at = {x, y};
    const Lanes<3> e = elevate_pixels(elevate, &at, 1, per_px);
    return PlanarLattice::Position{e[0][0], e[1][0], e[2][0]};
  };
  std::vector<std::array<PlanarLattice::Position, 2>> ends;
  for (std::size_t i = 0; i + 1 < pixels.strips.size(); ++i) {
    const auto& first = pixels.at[pixels.strips[i]];
    const auto& last = pixels.at[pixels.strips[i + 1] - 1];
    ends.push_back({position(first[0], first[1]), position(last[0], last[1])});
  }
  PlanarLattice lattice(ends, {position(0, 0), position(static_cast<float>(pixels.width - 1), static_cast<float>(pixels.height - 1))});
  std::vector<float> sums(values.size(), 0.0f), scale(values.size());
  for_each_corner(lattice, pixels, elevate, per_px, [&](std::size_t strip, std::size_t, std::uint32_t local, float weight) {
    lattice.splat_buffer(strip)[local] += weight;
  });
  lattice.touch();
  const auto slice = [&](std::vector<float>& out) {
    std::fill(out.begin(), out.end(), 0.0f);
    for_each_corner(lattice, pixels, elevate, per_px, [&](std::size_t strip, std::size_t pixel, std::uint32_t local, float weight) {
      out[pixel] += weight * lattice.slice_buffer(strip)[local];
    });
  };
  slice(sums);
  for (std::size_t i = 0; i < sums.size(); ++i) scale[i] = 1 / std::sqrt(sums[i]);
  for (int time = 0; time < 2; ++time) {
    for_each_corner(lattice, pixels, elevate, per_px, [&](std::size_t strip, std::size_t pixel, std::uint32_t local, float weight) {
      lattice.splat_buffer(strip)[local] += weight * scale[pixel] * values[pixel];
    });
    lattice.filter();
    slice(sums);
    for (std::size_t i = 0; i < sums.size(); ++i) values[i] = sums[i] * scale[i];
  }
  return values;
}

/// The same with points that are searched by hash, in any number of dimensions.
std::vector<float> filter_hashed(const Pixels& pixels, const Elevation<2>& elevate, float per_px, std::vector<float> values) {
  Permutohedral<2> lattice(pixels.strips, [&](std::size_t first, int count) {
    return elevate_pixels(elevate, &pixels.at[first], count, per_px);
  });
  for (int time = 0; time < 2; ++time) {
    for (std::size_t strip = 0; strip + 1 < pixels.strips.size(); ++strip) {
      for (std::size_t i = pixels.strips[strip]; i < pixels.strips[strip + 1]; ++i) {
        for (int k = 0; k < 3; ++k) lattice.splat_buffer(strip)[lattice.corners(i)[k].local] += lattice.corners(i)[k].weight * values[i];
      }
    }
    lattice.filter();
    for (std::size_t strip = 0; strip + 1 < pixels.strips.size(); ++strip) {
      for (std::size_t i = pixels.strips[strip]; i < pixels.strips[strip + 1]; ++i) {
        values[i] = 0;
        for (int k = 0; k < 3; ++k) values[i] += lattice.corners(i)[k].weight * lattice.slice_buffer(strip)[lattice.corners(i)[k].local];
      }
    }
  }
  return values;
}

// Deviations of half a pixel to ten, pictures that begin anywhere, with holes and without.
TEST(PlanarLattice, FiltersAsTheHashedLattice) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Pixels pixels = draw_pixels(seed);
    std::mt19937 random(seed + 1000);
    const float deviation = std::array{0.5f, 1.0f, 2.0f, 3.3f, 10.0f}[seed % 5];
    const double x0 = static_cast<double>(random() % 5000), y0 = static_cast<double>(random() % 5000);
    const Elevation<2> elevate({x0 / deviation, y0 / deviation});
    std::vector<float> values;
    for (std::size_t i = 0; i < pixels.at.size(); ++i) values.push_back(static_cast<float>(random() % 2001) / 1000.0f - 1);
    const auto planar = filter_planar(pixels, elevate, 1 / deviation, values), hashed = filter_hashed(pixels, elevate, 1 / deviation, values);
    double most = 0, sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      most = std::max<double>(most, std::abs(planar[i] - hashed[i]));
      sum += std::abs(hashed[i]);
    }
    EXPECT_LT(most, 2e-4) << "seed " << seed << " deviation " << deviation;
    EXPECT_GT(sum / static_cast<double>(values.size()), 1e-3);
  }
}

// Weights as locate finds them, which is tested by its positions.
TEST(PlanarLattice, WeighsCornersAsLocateDoes) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(0, 60);
  const Elevation<2> elevate({0, 0});
  const std::array<float, 2> far = {60, 60}, near = {0, 0};
  const Lanes<3> last = elevate_pixels(elevate, &far, 1, 1), first = elevate_pixels(elevate, &near, 1, 1);
  const std::array<PlanarLattice::Position, 2> ends = {{{first[0][0], first[1][0], first[2][0]}, {last[0][0], last[1][0], last[2][0]}}};
  PlanarLattice lattice({ends}, ends);
  std::vector<std::array<float, 2>> at(kLanes);
  for (int time = 0; time < 200; ++time) {
    for (auto& pixel : at) pixel = {uniform(random), uniform(random)};
    const Lanes<3> elevated = elevate_pixels(elevate, at.data(), kLanes, 1);
    const Simplices<2> simplices = locate<2>(elevated);
    const auto corners = lattice.corners(0, elevated);
    for (int lane = 0; lane < kLanes; ++lane) {
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(corners.weight[k][lane], simplices.weight[k][lane], 1e-4f);
        EXPECT_GE(corners.weight[k][lane], -1e-4f);
      }
    }
  }
}

}  // namespace
}  // namespace clmnet::nets::lattice
