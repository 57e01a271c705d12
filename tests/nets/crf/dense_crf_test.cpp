#include "nets/crf/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

namespace clmnet::nets {
namespace {

struct Scene {
  int height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
  std::vector<float> probability;

  CrfPicture picture(const std::vector<std::uint8_t>* has_data = nullptr) const {
    return {rgb.data(), probability.data(), has_data != nullptr ? has_data->data() : nullptr, height, width};
  }
};

/// A purple disc on pink, noise on both, and a probability that leans the right way with noise of its own.
Scene draw_scene(int height, int width, unsigned seed) {
  Scene scene{height, width, {}, {}};
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = std::hypot(y - 0.5 * height, x - 0.4 * width) < 0.3 * std::min(height, width);
      for (const float c : {inside ? 120.0f : 220.0f, inside ? 70.0f : 170.0f, inside ? 150.0f : 200.0f}) {
        scene.rgb.push_back(static_cast<std::uint8_t>(std::clamp(c + 6 * noise(random), 0.0f, 255.0f)));
      }
      scene.probability.push_back(std::clamp((inside ? 0.6f : 0.4f) + 0.2f * noise(random), 0.0f, 1.0f));
    }
  }
  return scene;
}

std::vector<float> refine(const Scene& scene, const CrfOptions& options) {
  return clmnet::nets::refine(scene.picture(), options);
}

/// The definition, pixel by pixel and pair by pair: what the lattice approximates.
class ExactMeanField {
 public:
  ExactMeanField(const Scene& scene, const CrfOptions& options)
      : gauss_(kernel(scene, options.gauss_sxy_px, 0)),
        bilat_(kernel(scene, options.bilat_sxy_px, options.bilat_srgb)) {
    const std::size_t n = scene.probability.size();
    std::vector<double> unary(n), q(n);
    for (std::size_t i = 0; i < n; ++i) {
      q[i] = std::clamp<double>(scene.probability[i], options.clip, 1 - options.clip);
      unary[i] = std::log(q[i] / (1 - q[i]));
    }
    for (int iteration = 0; iteration < options.iterations; ++iteration) {
      std::vector<double> next(n);
      for (std::size_t i = 0; i < n; ++i) {
        double logit = unary[i];
        for (std::size_t j = 0; j < n; ++j) {
          const double pull = options.gauss_weight * gauss_[i * n + j] + options.bilat_weight * bilat_[i * n + j];
          logit += pull * (q[j] - (1 - q[j]));
        }
        next[i] = 1 / (1 + std::exp(-logit));
      }
      q = next;
    }
    result = q;
  }
  std::vector<double> result;

 private:
  static std::vector<double> kernel(const Scene& scene, double sxy, double srgb) {
    const std::size_t n = scene.probability.size(), width = static_cast<std::size_t>(scene.width);
    std::vector<double> k(n * n), sum(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double dy = (double(i / width) - double(j / width)) / sxy;
        const double dx = (double(i % width) - double(j % width)) / sxy;
        double distance = dx * dx + dy * dy;
        for (std::size_t c = 0; srgb > 0 && c < 3; ++c) {
          distance += std::pow((scene.rgb[3 * i + c] - scene.rgb[3 * j + c]) / srgb, 2);
        }
        k[i * n + j] = std::exp(-0.5 * distance);
        sum[i] += k[i * n + j];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) k[i * n + j] /= std::sqrt(sum[i] * sum[j]);
    }
    return k;
  }
  std::vector<double> gauss_, bilat_;
};

CrfOptions small_options() {
  CrfOptions options;
  options.gauss_sxy_px = 2;
  options.gauss_weight = 1;
  options.bilat_sxy_px = 8;
  options.bilat_srgb = 20;
  options.bilat_weight = 2;
  options.iterations = 5;
  return options;
}

double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

TEST(DenseCrf, AgreesWithTheExactSumOverAllPairs) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    const Scene scene = draw_scene(30, 36, seed);
    const CrfOptions options = small_options();
    const std::vector<float> got = refine(scene, options);
    const std::vector<double> want = ExactMeanField(scene, options).result;
    double sum = 0;
    int other_label = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      sum += std::abs(got[i] - want[i]);
      other_label += (got[i] > 0.5f) != (want[i] > 0.5);
    }
    EXPECT_LT(sum / static_cast<double>(got.size()), 0.01) << "seed " << seed;
    EXPECT_LE(other_label, 5) << "seed " << seed;
  }
}

TEST(DenseCrf, RemovesNoiseAlongTheEdgesOfThePicture) {
  const Scene scene = draw_scene(90, 120, 5);
  const std::vector<float> refined = refine(scene, CrfOptions{});
  int wrong_before = 0, wrong_after = 0;
  for (int y = 0; y < scene.height; ++y) {
    for (int x = 0; x < scene.width; ++x) {
      const bool inside = std::hypot(y - 45.0, x - 48.0) < 27.0;
      const auto i = static_cast<std::size_t>(y * scene.width + x);
      wrong_before += (scene.probability[i] > 0.5f) != inside;
      wrong_after += (refined[i] > 0.5f) != inside;
    }
  }
  EXPECT_GT(wrong_before, 2000);
  EXPECT_LT(wrong_after, 20);
}

TEST(DenseCrf, NoIterationsGiveTheClippedProbability) {
  Scene scene = draw_scene(4, 5, 1);
  scene.probability[0] = 0;
  scene.probability[1] = 1;
  CrfOptions options;
  options.iterations = 0;
  const auto refined = refine(scene, options);
  EXPECT_NEAR(refined[0], 1e-4, 1e-6);
  EXPECT_NEAR(refined[1], 1 - 1e-4, 1e-6);
  for (std::size_t i = 2; i < refined.size(); ++i) {
    EXPECT_NEAR(refined[i], std::clamp(scene.probability[i], 1e-4f, 1 - 1e-4f), 1e-6);
  }
}

TEST(DenseCrf, NoWeightsChangeNothing) {
  const Scene scene = draw_scene(8, 9, 1);
  CrfOptions options;
  options.gauss_weight = options.bilat_weight = 0;
  const auto refined = refine(scene, options);
  for (std::size_t i = 0; i < refined.size(); ++i) {
    EXPECT_NEAR(refined[i], std::clamp(scene.probability[i], 1e-4f, 1 - 1e-4f), 1e-6);
  }
}

// A single pixel is its own only neighbour: K = 1, so logit(t+1) = unary + (w1 + w2) tanh(logit(t) / 2).
TEST(DenseCrf, OnePixelByHand) {
  CrfOptions options;
  options.gauss_weight = 1;
  options.bilat_weight = 2;
  options.iterations = 1;
  const std::vector<std::uint8_t> rgb = {10, 20, 30};
  const float probability = 0.7f;
  const auto refined = clmnet::nets::refine({rgb.data(), &probability, nullptr, 1, 1}, options);
  const double logit = std::log(0.7 / 0.3) + 3 * (2 * 0.7 - 1);
  EXPECT_NEAR(refined[0], 1 / (1 + std::exp(-logit)), 1e-5);
}

TEST(DenseCrf, SameBitsForAnyNumberOfThreads) {
  const Scene scene = draw_scene(700, 300, 9);  // four strips
  CrfOptions options;
  options.threads = 1;
  const auto one = refine(scene, options);
  const tbb::global_control more_than_cores(tbb::global_control::max_allowed_parallelism, 8);
  for (const int threads : {2, 8}) {
    options.threads = threads;
    EXPECT_EQ(refine(scene, options), one) << threads << " threads";
  }
}

TEST(DenseCrf, SwappingTheLabelsSwapsTheResult) {
  Scene scene = draw_scene(40, 50, 4);
  const auto refined = refine(scene, CrfOptions{});
  for (float& p : scene.probability) p = 1 - p;
  const auto swapped = refine(scene, CrfOptions{});
  for (std::size_t i = 0; i < refined.size(); ++i) EXPECT_NEAR(swapped[i], 1 - refined[i], 1e-3);
}

TEST(DenseCrf, PixelsWithoutDataTakeNoPart) {
  Scene scene = draw_scene(60, 60, 6);
  std::vector<std::uint8_t> has_data(3600, 1);
  for (std::size_t i = 0; i < 3600; ++i) has_data[i] = i % 60 < 45;
  const auto run = [&] {
    return clmnet::nets::refine(scene.picture(&has_data), CrfOptions{});
  };
  const auto first = run();
  for (std::size_t i = 0; i < 3600; ++i) {
    if (has_data[i] != 0) continue;
    EXPECT_EQ(first[i], scene.probability[i]);
    scene.probability[i] = 1 - scene.probability[i];
    scene.rgb[3 * i] ^= 0xff;
  }
  const auto second = run();
  for (std::size_t i = 0; i < 3600; ++i) {
    if (has_data[i] != 0) {
      EXPECT_EQ(second[i], first[i]);
    }
  }
}

/// The whole scene through windows.
std::vector<float> refine_by_windows(const Scene& scene, const CrfOptions& options, const CrfWindowOptions& windows,
                                     const std::vector<std::uint8_t>* has_data = nullptr) {
  std::vector<float> result(scene.probability.size(), -1.0f);
  refine_windowed(scene.picture(has_data), result.data(), options, windows);
  return result;
}

TEST(DenseCrf, NoDataAtAll) {
  const Scene scene = draw_scene(5, 5, 6);
  const std::vector<std::uint8_t> has_data(25, 0);
  EXPECT_EQ(clmnet::nets::refine(scene.picture(&has_data), CrfOptions{}), scene.probability);
  EXPECT_EQ(refine_by_windows(scene, CrfOptions{}, {400, 0}, &has_data), scene.probability);
}

TEST(DenseCrfWindows, AgreeWithTheWhole) {
  const Scene scene = draw_scene(333, 410, 8);
  CrfOptions options;
  options.bilat_sxy_px = 20;
  const auto whole = refine(scene, options);
  ASSERT_GT(plan_crf_windows(nullptr, 333, 410, 60, 240).size(), 3u);
  const auto parts = refine_by_windows(scene, options, {240, 0});
  EXPECT_LT(mean_difference(parts, whole), 5e-4);
  int other_label = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) other_label += (parts[i] > 0.5f) != (whole[i] > 0.5f);
  EXPECT_LE(other_label, static_cast<int>(whole.size() / 10000));
}

TEST(DenseCrfWindows, OneWindowIsTheWhole) {
  const Scene scene = draw_scene(50, 60, 8);
  CrfOptions options;
  options.bilat_sxy_px = 10;
  EXPECT_EQ(refine_by_windows(scene, options, {200, 30}), refine(scene, options));
}

// Two pieces of tissue far from each other: a window around each is as good as the whole, and glass keeps its probability.
TEST(DenseCrfWindows, PiecesOfTissue) {
  const Scene scene = draw_scene(200, 900, 8);
  std::vector<std::uint8_t> has_data(scene.probability.size(), 0);
  for (std::size_t i = 0; i < has_data.size(); ++i) {
    const std::size_t x = i % 900, y = i / 900;
    has_data[i] = y >= 20 && y < 180 && ((x >= 30 && x < 200) || (x >= 700 && x < 880));
  }
  CrfOptions options;
  options.bilat_sxy_px = 15;
  const auto whole = clmnet::nets::refine(scene.picture(&has_data), options);
  const auto parts = refine_by_windows(scene, options, {210, 0}, &has_data);
  EXPECT_EQ(plan_crf_windows(has_data.data(), 200, 900, 45, 210).size(), 2u);
  EXPECT_LT(mean_difference(parts, whole), 1e-5);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (has_data[i] == 0) {
      ASSERT_EQ(parts[i], scene.probability[i]) << "pixel " << i;
    }
  }
}

TEST(DenseCrfWindows, OverlapThatLeavesNothing) {
  const Scene scene = draw_scene(50, 60, 8);
  EXPECT_THROW(refine_by_windows(scene, CrfOptions{}, {360, 0}), std::invalid_argument);
  EXPECT_THROW(refine_by_windows(scene, CrfOptions{}, {100, 50}), std::invalid_argument);
  EXPECT_THROW(refine_by_windows(scene, CrfOptions{}, {100, -1}), std::invalid_argument);
}

TEST(DenseCrf, CallersMistakes) {
  const Scene scene = draw_scene(5, 5, 1);
  const auto refused = [&](auto change) {
    CrfOptions options;
    change(options);
    EXPECT_THROW(refine(scene, options), std::invalid_argument);
  };
  refused([](CrfOptions& o) { o.gauss_sxy_px = 0; });
  refused([](CrfOptions& o) { o.gauss_sxy_px = 0.49; });
  refused([](CrfOptions& o) { o.bilat_sxy_px = -1; });
  refused([](CrfOptions& o) { o.bilat_srgb = 0; });
  refused([](CrfOptions& o) { o.bilat_srgb = std::nan(""); });
  refused([](CrfOptions& o) { o.gauss_weight = -1; });
  refused([](CrfOptions& o) { o.bilat_weight = std::nan(""); });
  refused([](CrfOptions& o) { o.iterations = -1; });
  refused([](CrfOptions& o) { o.threads = -1; });
  refused([](CrfOptions& o) { o.clip = 0; });
  refused([](CrfOptions& o) { o.clip = 0.5; });
  refused([](CrfOptions& o) { o.bilat_srgb = 0.01; });
}

TEST(DenseCrf, ProbabilitiesThatAreNone) {
  for (const float bad : {-0.01f, 1.01f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Scene scene = draw_scene(5, 5, 1);
    scene.probability[7] = bad;
    EXPECT_THROW(refine(scene, CrfOptions{}), std::invalid_argument) << bad;
  }
}

TEST(DenseCrf, PicturesWithoutPixels) {
  EXPECT_THROW(clmnet::nets::refine({nullptr, nullptr, nullptr, 0, 5}, CrfOptions{}), std::invalid_argument);
  EXPECT_THROW(clmnet::nets::refine({nullptr, nullptr, nullptr, 5, 0}, CrfOptions{}), std::invalid_argument);
  EXPECT_THROW(clmnet::nets::refine({nullptr, nullptr, nullptr, -1, -1}, CrfOptions{}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::nets
