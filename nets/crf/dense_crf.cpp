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
#include "nets/crf/planar_lattice.h"

namespace clmnet::nets {
namespace {

using Bilateral = lattice::Permutohedral<5>;
using lattice::LargeVector;

constexpr std::size_t kStripPixels = 65536;  // a strip's part of the lattice then fits in a core's own cache
constexpr std::size_t kBlock = 256;          // pixels whose corners stay in the first-level cache meanwhile
constexpr double kMaxDeviations = 9000;      // beyond, lattice coordinates leave 16 bits

/// A window of a picture: from its first pixel on, rows `pitch` apart.
struct Guide {
  const std::uint8_t* rgb;
  const float* probability;
  const std::uint8_t* has_data;
  CrfWindow window;
  std::uint32_t pitch;
};

Guide look_at(const CrfPicture& picture, const CrfWindow& window) {
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(window.y) * picture.width + window.x;
  const std::uint8_t* has_data = picture.has_data == nullptr ? nullptr : picture.has_data + first;
  return {picture.rgb + 3 * first, picture.probability + first, has_data, window, static_cast<std::uint32_t>(picture.width)};
}

void check_probabilities(const CrfPicture& picture) {
  const auto in_range = [](float p) { return p >= 0 && p <= 1; };
  tbb::parallel_for(tbb::blocked_range<int>(0, picture.height, 64), [&](const auto& rows) {
    const auto columns = static_cast<std::size_t>(picture.width);
    const float* begin = picture.probability + static_cast<std::size_t>(rows.begin()) * columns;
    const float* end = picture.probability + static_cast<std::size_t>(rows.end()) * columns;
    int all = 1;
    for (const float* p = begin; p != end; ++p) all &= static_cast<int>(in_range(*p));  // vector code, which a search would not be
    if (all == 0) throw std::invalid_argument("CRF: probability " + std::to_string(*std::find_if_not(begin, end, in_range)));
  });
}

void check(const CrfPicture& picture, const CrfOptions& options) {
  if (picture.height < 1 || picture.width < 1) {
    throw std::invalid_argument("CRF: picture of " + std::to_string(picture.width) + " x " + std::to_string(picture.height));
  }
  if (!(options.gauss_sxy_px >= 0.5) || !(options.bilat_sxy_px > 0) || !(options.bilat_srgb > 0)) {
    throw std::invalid_argument("CRF: standard deviations must be above 0, the Gaussian kernel's at least half a pixel");
  }
  if (!(options.gauss_weight >= 0) || !(options.bilat_weight >= 0)) {
    throw std::invalid_argument("CRF: weights must not be negative");
  }
  if (options.iterations < 0 || options.threads < 0) throw std::invalid_argument("CRF: negative iterations or threads");
  if (!(options.clip > 0 && options.clip < 0.5)) throw std::invalid_argument("CRF: clip must lie between 0 and 0.5");
  check_probabilities(picture);
}

void check_window(const Guide& guide, const CrfOptions& options) {
  if (std::uint64_t{guide.pitch} * static_cast<std::uint64_t>(guide.window.height) > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("CRF: more than 2^32 pixels; refine the picture in windows");
  }
  const double across = std::max(guide.window.height, guide.window.width);
  if (across / options.bilat_sxy_px + 255 / options.bilat_srgb > kMaxDeviations) {
    throw std::invalid_argument("CRF: picture too large for its standard deviations; refine it in windows");
  }
}

/// The pixels that take part, by their place after the window's first.
LargeVector<std::uint32_t> list_pixels(const Guide& guide) {
  LargeVector<std::uint32_t> pixels;
  pixels.reserve(static_cast<std::size_t>(guide.window.height) * static_cast<std::size_t>(guide.window.width));
  for (int row = 0; row < guide.window.height; ++row) {
    const std::uint32_t begin = static_cast<std::uint32_t>(row) * guide.pitch;
    for (std::uint32_t pixel = begin; pixel < begin + static_cast<std::uint32_t>(guide.window.width); ++pixel) {
      if (guide.has_data == nullptr || guide.has_data[pixel] != 0) pixels.push_back(pixel);
    }
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
  lattice::Lanes<N> features = {};
  const std::uint32_t row = *pixel / guide.pitch, row_begin = row * guide.pitch;
  if (pixel[count - 1] - row_begin < guide.pitch) {
    for (int lane = 0; lane < count; ++lane) features[0][lane] = static_cast<float>(pixel[lane] - row_begin) * per_px;
    features[1].fill(static_cast<float>(row) * per_px);
  } else {
    for (int lane = 0; lane < count; ++lane) {
      features[0][lane] = static_cast<float>(pixel[lane] % guide.pitch) * per_px;
      features[1][lane] = static_cast<float>(pixel[lane] / guide.pitch) * per_px;
    }
  }
  if constexpr (N == 5) {
    for (int lane = 0; lane < count; ++lane) {
      const std::uint8_t* rgb = guide.rgb + std::size_t{3} * pixel[lane];
      for (std::size_t c = 0; c < 3; ++c) features[2 + c][lane] = static_cast<float>(rgb[c]) * per_grey;
    }
  }
  return features;
}

/// The Gaussian filter over a window's pixels, normalised as Permutohedral normalises. Corners are found anew in each pass, which
/// takes no longer than to read them.
class Gaussian {
 public:
  struct Block {
    std::array<std::array<std::uint32_t, kBlock>, 3> local;
    std::array<std::array<float, kBlock>, 3> weight;

    float slice(std::size_t i, const float* values) const {
      return weight[0][i] * values[local[0][i]] + weight[1][i] * values[local[1][i]] + weight[2][i] * values[local[2][i]];
    }
    void splat(std::size_t i, float value, float* sums) const {
      for (std::size_t k = 0; k < 3; ++k) sums[local[k][i]] += weight[k][i] * value;
    }
  };

  Gaussian(const Guide& guide, const LargeVector<std::uint32_t>& pixels, const CrfOptions& options,
           const std::vector<std::size_t>& strips)
      : guide_(guide),
        pixels_(pixels),
        per_px_(1.0 / options.gauss_sxy_px),
        elevate_({guide.window.x * per_px_, guide.window.y * per_px_}),
        lattice_(strip_ends(strips), {position(0), position(last_pixel())}),
        scale_(pixels.size(), 1.0f) {
    const auto each_block = [&](const auto& body) {
      tbb::parallel_for(std::size_t{0}, strips.size() - 1, [&](std::size_t strip) {
        Block block;
        for (std::size_t begin = strips[strip]; begin < strips[strip + 1]; begin += kBlock) {
          const std::size_t count = std::min(kBlock, strips[strip + 1] - begin);
          find(strip, begin, count, block);
          body(strip, begin, count, block);
        }
      });
    };
    each_block([&](std::size_t strip, std::size_t, std::size_t count, const Block& block) {
      for (std::size_t i = 0; i < count; ++i) block.splat(i, 1.0f, splat_buffer(strip));
    });
    lattice_.touch();
    each_block([&](std::size_t strip, std::size_t begin, std::size_t count, const Block& block) {
      for (std::size_t i = 0; i < count; ++i) scale_[begin + i] = 1.0f / std::sqrt(block.slice(i, slice_buffer(strip)) + 1e-20f);
    });
  }

  void filter() { lattice_.filter(); }
  float* splat_buffer(std::size_t strip) { return lattice_.splat_buffer(strip); }
  const float* slice_buffer(std::size_t strip) const { return lattice_.slice_buffer(strip); }

  /// Corners of up to kBlock pixels of a strip.
  void find(std::size_t strip, std::size_t begin, std::size_t count, Block& block) const {
    using lattice::kLanes;
    for (std::size_t first = 0; first < count; first += kLanes) {
      const std::size_t lanes = std::min<std::size_t>(kLanes, count - first);
      const auto corners = lattice_.corners(strip, elevated(pixels_.data() + begin + first, static_cast<int>(lanes)));
      for (std::size_t k = 0; k < 3; ++k) {
        std::copy_n(corners.local[k].data(), lanes, block.local[k].data() + first);
        float* weight = block.weight[k].data() + first;
        for (std::size_t lane = 0; lane < lanes; ++lane) weight[lane] = corners.weight[k][lane] * scale_[begin + first + lane];
      }
    }
  }

 private:
  using Position = lattice::PlanarLattice::Position;

  lattice::Lanes<3> elevated(const std::uint32_t* pixel, int count) const {
    return elevate_(features_of<2>(guide_, pixel, count, static_cast<float>(per_px_), 0));
  }
  Position position(std::uint32_t pixel) const {
    const lattice::Lanes<3> at = elevated(&pixel, 1);
    return {at[0][0], at[1][0], at[2][0]};
  }
  std::uint32_t last_pixel() const {
    const auto row = static_cast<std::uint32_t>(guide_.window.height - 1), column = static_cast<std::uint32_t>(guide_.window.width - 1);
    return row * guide_.pitch + column;
  }
  std::vector<std::array<Position, 2>> strip_ends(const std::vector<std::size_t>& strips) const {
    std::vector<std::array<Position, 2>> ends;
    for (std::size_t i = 0; i + 1 < strips.size(); ++i) {
      ends.push_back({position(pixels_[strips[i]]), position(pixels_[strips[i + 1] - 1])});
    }
    return ends;
  }

  const Guide& guide_;
  const LargeVector<std::uint32_t>& pixels_;
  double per_px_;
  lattice::Elevation<2> elevate_;
  lattice::PlanarLattice lattice_;
  LargeVector<float> scale_;  // by place in the list
};

Bilateral make_bilateral(const Guide& guide, const LargeVector<std::uint32_t>& pixels, const CrfOptions& options,
                         const std::vector<std::size_t>& strips) {
  const double scale = 1.0 / options.bilat_sxy_px;
  const auto per_grey = static_cast<float>(1.0 / options.bilat_srgb);
  const lattice::Elevation<5> elevate({guide.window.x * scale, guide.window.y * scale, 0, 0, 0});
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
                         [&] { gaussian_.emplace(guide_, pixels_, options, strips_); });
    const double clip = options.clip;
    each_strip([&](std::size_t strip) {
      for (std::size_t i = strips_[strip]; i < strips_[strip + 1]; ++i) {
        const double kept = std::clamp<double>(guide.probability[pixels_[i]], clip, 1 - clip);
        unary_[i] = static_cast<float>(std::log(kept / (1 - kept)));
      }
    });
  }

  /// result: of the whole picture, from the window's first pixel on; written are the pixels of `core` that take part.
  void run(const CrfWindow& core, float* result) {
    for (int iteration = 0; iteration <= options_.iterations; ++iteration) {
      if (iteration > 0) {
        gaussian_->filter();
        bilateral_->filter();
      }
      const Step now{iteration > 0, iteration == options_.iterations};
      each_strip([&](std::size_t strip) { step(strip, now, core, result); });
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

  void step(std::size_t strip, const Step& now, const CrfWindow& core, float* result) {
    const float gauss_weight = static_cast<float>(options_.gauss_weight);
    const float bilat_weight = static_cast<float>(options_.bilat_weight);
    const float* gauss_values = gaussian_->slice_buffer(strip);
    const float* bilat_values = bilateral_->slice_buffer(strip);
    float* gauss_sums = gaussian_->splat_buffer(strip);
    float* bilat_sums = bilateral_->splat_buffer(strip);
    std::array<float, kBlock> m;
    Gaussian::Block near;
    for (std::size_t begin = strips_[strip]; begin < strips_[strip + 1]; begin += kBlock) {
      const std::size_t count = std::min(kBlock, strips_[strip + 1] - begin);
      gaussian_->find(strip, begin, count, near);
      for (std::size_t i = 0; i < count; ++i) {
        m[i] = unary_[begin + i];
        if (!now.sliced) continue;
        m[i] += gauss_weight * near.slice(i, gauss_values) +
                bilat_weight * slice<Bilateral::kCorners>(bilateral_->corners(begin + i), bilat_values);
      }
      for (std::size_t i = 0; i < count; ++i) m[i] = tanh_of_half(m[i]);
      if (now.last) {
        const bool all = core == guide_.window;
        for (std::size_t i = 0; i < count; ++i) {
          const std::uint32_t pixel = pixels_[begin + i];
          if (all || is_in(core, pixel)) result[pixel] = 0.5f + 0.5f * m[i];
        }
        continue;
      }
      for (std::size_t i = 0; i < count; ++i) {
        near.splat(i, m[i], gauss_sums);
        splat<Bilateral::kCorners>(bilateral_->corners(begin + i), m[i], bilat_sums);
      }
    }
  }

  bool is_in(const CrfWindow& core, std::uint32_t pixel) const {
    const int x = guide_.window.x + static_cast<int>(pixel % guide_.pitch);
    const int y = guide_.window.y + static_cast<int>(pixel / guide_.pitch);
    return x >= core.x && x < core.x + core.width && y >= core.y && y < core.y + core.height;
  }

  Guide guide_;
  CrfOptions options_;
  LargeVector<std::uint32_t> pixels_;  // that take part; all below is by place in this list
  std::vector<std::size_t> strips_;
  LargeVector<float> unary_;
  std::optional<Gaussian> gaussian_;
  std::optional<Bilateral> bilateral_;
};

/// `part`: of a picture that was checked; result: of the whole picture.
void refine_part(const CrfPicture& picture, const CrfPart& part, const CrfOptions& options, float* result) {
  const Guide guide = look_at(picture, part.around);
  check_window(guide, options);
  tbb::task_arena arena(options.threads > 0 ? options.threads : static_cast<int>(tbb::task_arena::automatic));
  float* first = result + (guide.probability - picture.probability);
  arena.execute([&] { MeanField(guide, options).run(part.core, first); });
}

std::size_t pixels_of(const CrfPicture& picture) {
  return static_cast<std::size_t>(picture.height) * static_cast<std::size_t>(picture.width);
}

}  // namespace

std::vector<float> refine(const CrfPicture& picture, const CrfOptions& options) {
  check(picture, options);
  std::vector<float> result(picture.probability, picture.probability + pixels_of(picture));
  const CrfWindow whole{0, 0, picture.width, picture.height};
  const auto is_none = [](std::uint8_t data) { return data == 0; };
  const bool nothing = picture.has_data != nullptr && std::all_of(picture.has_data, picture.has_data + pixels_of(picture), is_none);
  if (!nothing) refine_part(picture, {whole, whole}, options, result.data());
  return result;
}

void refine_windowed(const CrfPicture& picture, float* result, const CrfOptions& options, const CrfWindowOptions& windows) {
  check(picture, options);
  const int overlap = windows.overlap_px > 0 ? windows.overlap_px : static_cast<int>(std::ceil(3 * options.bilat_sxy_px));
  if (windows.overlap_px < 0 || windows.window_px <= 2 * overlap) {
    throw std::invalid_argument("CRF: windows of " + std::to_string(windows.window_px) +
                                " px leave nothing within an overlap of " + std::to_string(overlap) + " px");
  }
  std::copy_n(picture.probability, pixels_of(picture), result);
  for (const CrfPart& part : plan_crf_windows(picture.has_data, picture.height, picture.width, overlap, windows.window_px)) {
    refine_part(picture, part, options, result);
  }
}

}  // namespace clmnet::nets
