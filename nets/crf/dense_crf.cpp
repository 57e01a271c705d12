#include "nets/crf/dense_crf.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/task_arena.h>

#include "nets/crf/permutohedral.h"

namespace clmnet::nets {
namespace {

using Gaussian = lattice::Permutohedral<2>;
using Bilateral = lattice::Permutohedral<5>;
using lattice::LargeVector;

constexpr std::size_t kStripPixels = 65536;  // a strip's part of the lattice then fits in a core's own cache
constexpr std::size_t kBlock = 256;          // pixels whose corners stay in the first-level cache meanwhile
constexpr double kMaxDeviations = 9000;      // beyond, lattice coordinates leave 16 bits

/// What a window is to the picture: its pixels and the place of its first one.
struct Guide {
  const std::uint8_t* rgb;
  const float* probability;
  const std::uint8_t* has_data;
  int height, width;
  int x0 = 0, y0 = 0;
};

void check(const Guide& guide, const CrfOptions& options) {
  if (guide.height < 1 || guide.width < 1) {
    throw std::invalid_argument("CRF: picture of " + std::to_string(guide.width) + " x " +
                                std::to_string(guide.height));
  }
  if (!(options.gauss_sxy_px > 0) || !(options.bilat_sxy_px > 0) || !(options.bilat_srgb > 0)) {
    throw std::invalid_argument("CRF: standard deviations must be above 0");
  }
  if (!(options.gauss_weight >= 0) || !(options.bilat_weight >= 0)) {
    throw std::invalid_argument("CRF: weights must not be negative");
  }
  if (options.iterations < 0 || options.threads < 0) throw std::invalid_argument("CRF: negative iterations or threads");
  if (!(options.clip > 0 && options.clip < 0.5)) throw std::invalid_argument("CRF: clip must lie between 0 and 0.5");
  const double across = std::max(guide.height, guide.width);
  const auto pixels = static_cast<std::size_t>(guide.height) * static_cast<std::size_t>(guide.width);
  if (pixels > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("CRF: more than 2^32 pixels; refine the picture in windows");
  }
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    const float p = guide.probability[pixel];
    if (!(p >= 0 && p <= 1)) throw std::invalid_argument("CRF: probability " + std::to_string(p));
  }
  if (across / options.bilat_sxy_px + 255 / options.bilat_srgb > kMaxDeviations) {
    throw std::invalid_argument("CRF: picture too large for its standard deviations; refine it in windows");
  }
}

/// The pixels that take part, by their place in the picture.
LargeVector<std::uint32_t> list_pixels(const Guide& guide) {
  const auto count = static_cast<std::uint32_t>(guide.height) * static_cast<std::uint32_t>(guide.width);
  LargeVector<std::uint32_t> pixels;
  pixels.reserve(count);
  for (std::uint32_t pixel = 0; pixel < count; ++pixel) {
    if (guide.has_data == nullptr || guide.has_data[pixel] != 0) pixels.push_back(pixel);
  }
  return pixels;
}

/// Parts of kStripPixels; the cut depends on the picture alone.
std::vector<std::size_t> cut_into_strips(std::size_t pixels) {
  std::vector<std::size_t> begin;
  for (std::size_t at = 0; at < pixels; at += kStripPixels) begin.push_back(at);
  begin.push_back(pixels);
  return begin;
}

/// The features of up to kLanes pixels in standard deviations: column and row, and with N = 5 red, green and blue.
template <int N>
lattice::Lanes<N> features_of(const Guide& guide, const std::uint32_t* pixel, int count, float per_px, float per_grey) {
  const auto columns = static_cast<std::uint32_t>(guide.width);
  lattice::Lanes<N> features = {};
  std::uint32_t row = *pixel / columns, row_begin = row * columns;
  for (int lane = 0; lane < count; ++lane) {
    for (; pixel[lane] - row_begin >= columns; row_begin += columns) ++row;
    features[0][lane] = static_cast<float>(pixel[lane] - row_begin) * per_px;
    features[1][lane] = static_cast<float>(row) * per_px;
    if constexpr (N == 5) {
      const std::uint8_t* rgb = guide.rgb + std::size_t{3} * pixel[lane];
      for (std::size_t c = 0; c < 3; ++c) features[2 + c][lane] = static_cast<float>(rgb[c]) * per_grey;
    }
  }
  return features;
}

Gaussian make_gaussian(const Guide& guide, const LargeVector<std::uint32_t>& pixels, const CrfOptions& options,
                       const std::vector<std::size_t>& strips) {
  const double scale = 1.0 / options.gauss_sxy_px;
  const lattice::Elevation<2> elevate({guide.x0 * scale, guide.y0 * scale});
  return Gaussian(strips, [&](std::size_t first, int count) {
    return elevate(features_of<2>(guide, pixels.data() + first, count, static_cast<float>(scale), 0));
  });
}

Bilateral make_bilateral(const Guide& guide, const LargeVector<std::uint32_t>& pixels, const CrfOptions& options,
                         const std::vector<std::size_t>& strips) {
  const double scale = 1.0 / options.bilat_sxy_px;
  const auto per_grey = static_cast<float>(1.0 / options.bilat_srgb);
  const lattice::Elevation<5> elevate({guide.x0 * scale, guide.y0 * scale, 0, 0, 0});
  return Bilateral(strips, [&](std::size_t first, int count) {
    return elevate(features_of<5>(guide, pixels.data() + first, count, static_cast<float>(scale), per_grey));
  });
}

/// tanh(x / 2) = 2 sigmoid(x) - 1 to about 1e-7, without a call or a branch so that a loop of it becomes vector code.
float tanh_of_half(float x) {
  x = std::min(std::max(x, -30.0f), 30.0f);
  const float y = x * 1.44269504f;
  const float whole = std::floor(y + 0.5f);
  const float z = (y - whole) * 0.693147181f;
  float e = 8.33333333e-3f + z * 1.38888889e-3f;  // Taylor's series, from the last term; |z| <= ln 2 / 2
  for (const float term : {0.0416666667f, 0.166666667f, 0.5f, 1.0f, 1.0f}) e = term + z * e;
  e *= std::bit_cast<float>((static_cast<std::int32_t>(whole) + 127) << 23);
  return (e - 1.0f) / (e + 1.0f);
}

template <int Count, typename Corner>
float slice(const Corner* corner, const float* values) {
  float sum = 0;
  for (int k = 0; k < Count; ++k) sum += corner[k].weight * values[corner[k].local];
  return sum;
}

template <int Count, typename Corner>
void splat(const Corner* corner, float value, float* sums) {
  for (int k = 0; k < Count; ++k) sums[corner[k].local] += corner[k].weight * value;
}

/// Mean field of two labels in one number a pixel. With q the foreground probability and m = 2 q - 1, the Potts
/// messages of the two labels differ by w (K q - K (1 - q)) = w K m, so that one filtered value gives the new logit
///   logit = unary + w_gauss K_gauss m + w_bilat K_bilat m,   m = tanh(logit / 2).
/// Slicing one iteration and splatting the next go over the corners once.
class MeanField {
 public:
  MeanField(const Guide& guide, const CrfOptions& options)
      : guide_(guide),
        options_(options),
        pixels_(list_pixels(guide)),
        strips_(cut_into_strips(pixels_.size())),
        unary_(pixels_.size()) {
    // Beside each other, since parts of each are one core's work.
    tbb::parallel_invoke([&] { bilateral_.emplace(make_bilateral(guide, pixels_, options, strips_)); },
                         [&] { gaussian_.emplace(make_gaussian(guide, pixels_, options, strips_)); });
    const double clip = options.clip;
    each_strip([&](std::size_t strip) {
      for (std::size_t i = strips_[strip]; i < strips_[strip + 1]; ++i) {
        const double kept = std::clamp<double>(guide.probability[pixels_[i]], clip, 1 - clip);
        unary_[i] = static_cast<float>(std::log(kept / (1 - kept)));
      }
    });
  }

  /// result: a number for each pixel of the guide; those that take no part are left as they are.
  void run(float* result) {
    for (int iteration = 0; iteration <= options_.iterations; ++iteration) {
      if (iteration > 0) {
        gaussian_->filter();
        bilateral_->filter();
      }
      const Step now{iteration > 0, iteration == options_.iterations};
      each_strip([&](std::size_t strip) { step(strip, now, result); });
    }
  }

 private:
  template <typename Body>
  void each_strip(const Body& body) {
    tbb::parallel_for(std::size_t{0}, strips_.size() - 1, body);
  }

  struct Step {
    bool sliced;  ///< not the first: there are messages
    bool last;    ///< the result is wanted, no more messages
  };

  void step(std::size_t strip, const Step& now, float* result) {
    const float gauss_weight = static_cast<float>(options_.gauss_weight);
    const float bilat_weight = static_cast<float>(options_.bilat_weight);
    const float* gauss_values = gaussian_->slice_buffer(strip);
    const float* bilat_values = bilateral_->slice_buffer(strip);
    float* gauss_sums = gaussian_->splat_buffer(strip);
    float* bilat_sums = bilateral_->splat_buffer(strip);
    std::array<float, kBlock> m;
    for (std::size_t begin = strips_[strip]; begin < strips_[strip + 1]; begin += kBlock) {
      const std::size_t count = std::min(kBlock, strips_[strip + 1] - begin);
      for (std::size_t i = 0; i < count; ++i) {
        m[i] = unary_[begin + i];
        if (!now.sliced) continue;
        m[i] += gauss_weight * slice<Gaussian::kCorners>(gaussian_->corners(begin + i), gauss_values) +
                bilat_weight * slice<Bilateral::kCorners>(bilateral_->corners(begin + i), bilat_values);
      }
      for (std::size_t i = 0; i < count; ++i) m[i] = tanh_of_half(m[i]);
      if (now.last) {
        for (std::size_t i = 0; i < count; ++i) result[pixels_[begin + i]] = 0.5f + 0.5f * m[i];
        continue;
      }
      for (std::size_t i = 0; i < count; ++i) {
        splat<Gaussian::kCorners>(gaussian_->corners(begin + i), m[i], gauss_sums);
        splat<Bilateral::kCorners>(bilateral_->corners(begin + i), m[i], bilat_sums);
      }
    }
  }

  Guide guide_;
  CrfOptions options_;
  LargeVector<std::uint32_t> pixels_;  // that take part; all below is by place in this list
  std::vector<std::size_t> strips_;
  LargeVector<float> unary_;
  std::optional<Gaussian> gaussian_;
  std::optional<Bilateral> bilateral_;
};

/// Equal parts of at most `core` px, so that none is little more than its overlap; what fits into one window needs no parts.
int part_of(int length, int core, int window) {
  if (length <= window) return length;
  const int parts = (length - 1) / core + 1;
  return (length - 1) / parts + 1;
}

/// guide, options: checked. result: as many as the guide has pixels.
void refine_guide(const Guide& guide, const CrfOptions& options, float* result) {
  const std::size_t pixels = static_cast<std::size_t>(guide.height) * static_cast<std::size_t>(guide.width);
  std::copy_n(guide.probability, pixels, result);
  const auto is_none = [](std::uint8_t data) { return data == 0; };
  if (guide.has_data != nullptr && std::all_of(guide.has_data, guide.has_data + pixels, is_none)) return;
  tbb::task_arena arena(options.threads > 0 ? options.threads : static_cast<int>(tbb::task_arena::automatic));
  arena.execute([&] { MeanField(guide, options).run(result); });
}

}  // namespace

std::vector<float> refine(const std::uint8_t* rgb, const float* probability, int height, int width,
                          const CrfOptions& options, const std::uint8_t* has_data) {
  const Guide guide{rgb, probability, has_data, height, width};
  check(guide, options);
  std::vector<float> result(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  refine_guide(guide, options, result.data());
  return result;
}

void refine_windowed(int height, int width, const CrfReader& read, const CrfWriter& write, const CrfOptions& options,
                     const CrfWindowOptions& windows) {
  const int own = static_cast<int>(std::ceil(3 * options.bilat_sxy_px));
  const int overlap = windows.overlap_px > 0 ? windows.overlap_px : own;
  const int core = windows.window_px - 2 * overlap;
  if (windows.overlap_px < 0 || core < 1) {
    throw std::invalid_argument("CRF: windows of " + std::to_string(windows.window_px) +
                                " px leave nothing within an overlap of " + std::to_string(overlap) + " px");
  }
  const int step_x = part_of(width, core, windows.window_px), step_y = part_of(height, core, windows.window_px);
  LargeVector<std::uint8_t> rgb, has_data;
  LargeVector<float> probability, refined;
  for (int y = 0; y < height; y += step_y) {
    for (int x = 0; x < width; x += step_x) {
      const CrfWindow inner{x, y, std::min(step_x, width - x), std::min(step_y, height - y)};
      const int left = std::max(0, x - overlap), top = std::max(0, y - overlap);
      const CrfWindow outer{left, top, std::min(width, x + inner.width + overlap) - left,
                            std::min(height, y + inner.height + overlap) - top};
      const auto pixels = static_cast<std::size_t>(outer.width) * static_cast<std::size_t>(outer.height);
      rgb.assign(3 * pixels, 0);
      probability.assign(pixels, 0.0f);
      has_data.assign(pixels, 1);
      read(outer, rgb.data(), probability.data(), has_data.data());
      refined.resize(pixels);
      const Guide guide{rgb.data(), probability.data(), has_data.data(), outer.height, outer.width, left, top};
      check(guide, options);
      refine_guide(guide, options, refined.data());
      for (int row = 0; row < inner.height; ++row) {  // the inner part moves to the front
        const float* from = refined.data() + static_cast<std::ptrdiff_t>(y - top + row) * outer.width + (x - left);
        std::copy_n(from, inner.width, refined.data() + static_cast<std::ptrdiff_t>(row) * inner.width);
      }
      write(inner, refined.data());
    }
  }
}

}  // namespace clmnet::nets
