#include "nets/training/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "nets/blocks.h"
#include "nets/training/random.h"

namespace clmnet::nets {
namespace {

using Matrix3 = std::array<std::array<double, 3>, 3>;

// Optical density of haematoxylin, eosin and their residual, rows of unit length.  Ruifrok and Johnston 2001.
constexpr Matrix3 kStains = {{{0.65, 0.70, 0.29}, {0.07, 0.99, 0.11}, {0.27, 0.57, 0.78}}};

Matrix3 inverse(const Matrix3& m) {
  const auto minor = [&](int a, int b, int c, int d) { return m[a][c] * m[b][d] - m[a][d] * m[b][c]; };
  const double det = m[0][0] * minor(1, 2, 1, 2) - m[0][1] * minor(1, 2, 0, 2) + m[0][2] * minor(1, 2, 0, 1);
  Matrix3 out{};
  out[0] = {minor(1, 2, 1, 2) / det, -minor(0, 2, 1, 2) / det, minor(0, 1, 1, 2) / det};
  out[1] = {-minor(1, 2, 0, 2) / det, minor(0, 2, 0, 2) / det, -minor(0, 1, 0, 2) / det};
  out[2] = {minor(1, 2, 0, 1) / det, -minor(0, 2, 0, 1) / det, minor(0, 1, 0, 1) / det};
  return out;
}

/// Index mirrored at both ends, the edge pixel not repeated.
int mirrored(int i, int size) {
  if (size == 1) return 0;
  const int period = 2 * (size - 1);
  i = std::abs(i) % period;
  return i < size ? i : period - i;
}

/// Maps output pixel centres to source pixel centres.
struct Geometry {
  double xx, xy, yx, yy, x0, y0;
};

Geometry draw_geometry(int height, int width, const AugmentOptions& options, Random& random) {
  const double scale = std::exp(random.uniform(std::log(options.scale_min), std::log(options.scale_max)));
  const double angle = options.flip_rotate ? random.uniform(0, 2 * std::numbers::pi) : 0;
  const double mirror = options.flip_rotate && random.chance(0.5) ? -1 : 1;
  const double step = 1 / scale;  // source pixels per output pixel
  // Where the view is smaller than the image it may lie anywhere inside, else at the centre.
  const double view = options.output_px * step;
  const double slack_x = std::max(0.0, width - view) / 2, slack_y = std::max(0.0, height - view) / 2;
  const double centre_x = width / 2.0 + (options.flip_rotate ? random.uniform(-slack_x, slack_x) : 0);
  const double centre_y = height / 2.0 + (options.flip_rotate ? random.uniform(-slack_y, slack_y) : 0);
  const double c = std::cos(angle) * step, s = std::sin(angle) * step, half = options.output_px / 2.0;
  Geometry g{mirror * c, -s, mirror * s, c, 0, 0};
  g.x0 = centre_x - g.xx * half - g.xy * half;
  g.y0 = centre_y - g.yx * half - g.yy * half;
  return g;
}

/// Bilinear sample of the three channels at continuous coordinates (pixel edges at whole numbers), added to `sum`.
void add_sample(const std::uint8_t* rgb, int height, int width, double x, double y, float* sum) {
  const double fx = x - 0.5, fy = y - 0.5;
  const int ix = static_cast<int>(std::floor(fx)), iy = static_cast<int>(std::floor(fy));
  const auto ax = static_cast<float>(fx - ix), ay = static_cast<float>(fy - iy);
  const int x0 = mirrored(ix, width), x1 = mirrored(ix + 1, width);
  const std::uint8_t* top = rgb + static_cast<std::ptrdiff_t>(mirrored(iy, height)) * width * 3;
  const std::uint8_t* low = rgb + static_cast<std::ptrdiff_t>(mirrored(iy + 1, height)) * width * 3;
  for (int c = 0; c < 3; ++c) {
    const float upper = static_cast<float>(top[x0 * 3 + c]) * (1 - ax) + static_cast<float>(top[x1 * 3 + c]) * ax;
    const float lower = static_cast<float>(low[x0 * 3 + c]) * (1 - ax) + static_cast<float>(low[x1 * 3 + c]) * ax;
    sum[c] += upper * (1 - ay) + lower * ay;
  }
}

/// Resampled colours, 0 … 255, row-major RGB. Where it shrinks, four samples a pixel keep it from aliasing.
std::vector<float> warp(const torch::Tensor& rgb, const Geometry& g, int out_px) {
  const int height = static_cast<int>(rgb.size(0)), width = static_cast<int>(rgb.size(1));
  const auto* source = rgb.data_ptr<std::uint8_t>();
  const bool shrinks = std::hypot(g.xx, g.yx) > 1.1;
  const std::vector<double> offsets = shrinks ? std::vector<double>{0.25, 0.75} : std::vector<double>{0.5};
  const float share = shrinks ? 0.25F : 1.0F;
  std::vector<float> out(static_cast<std::size_t>(out_px) * out_px * 3, 0.0F);
  for (int v = 0; v < out_px; ++v) {
    for (int u = 0; u < out_px; ++u) {
      float* pixel = &out[(static_cast<std::size_t>(v) * out_px + u) * 3];
      for (const double dv : offsets) {
        for (const double du : offsets) {
          const double x = g.x0 + g.xx * (u + du) + g.xy * (v + dv);
          const double y = g.y0 + g.yx * (u + du) + g.yy * (v + dv);
          add_sample(source, height, width, x, y, pixel);
        }
      }
      for (int c = 0; c < 3; ++c) pixel[c] *= share;
    }
  }
  return out;
}

torch::Tensor warp_mask(const torch::Tensor& mask, const Geometry& g, int out_px) {
  const int height = static_cast<int>(mask.size(0)), width = static_cast<int>(mask.size(1));
  torch::Tensor out = torch::empty({out_px, out_px}, torch::kUInt8);
  const auto* source = mask.data_ptr<std::uint8_t>();
  auto* target = out.data_ptr<std::uint8_t>();
  for (int v = 0; v < out_px; ++v) {
    for (int u = 0; u < out_px; ++u) {
      const double x = g.x0 + g.xx * (u + 0.5) + g.xy * (v + 0.5);
      const double y = g.y0 + g.yx * (u + 0.5) + g.yy * (v + 0.5);
      const int ix = mirrored(static_cast<int>(std::floor(x)), width), iy = mirrored(static_cast<int>(std::floor(y)), height);
      target[static_cast<std::ptrdiff_t>(v) * out_px + u] = source[static_cast<std::ptrdiff_t>(iy) * width + ix];
    }
  }
  return out;
}

/// New optical density = A * old + b.
struct StainChange {
  Matrix3 a;
  std::array<double, 3> b;
};

StainChange draw_stain(const AugmentOptions& options, Random& random) {
  static const Matrix3 kUnmix = inverse(kStains);
  StainChange change{};
  for (int k = 0; k < 3; ++k) {
    const double factor = std::exp(options.stain_sigma * random.normal());
    const double shift = options.stain_shift * random.normal();
    for (int i = 0; i < 3; ++i) {
      // A row vector of densities d: concentrations are d * unmix, the new densities concentrations * stains.
      for (int j = 0; j < 3; ++j) change.a[i][j] += kUnmix[j][k] * factor * kStains[k][i];
      change.b[i] += shift * kStains[k][i];
    }
  }
  for (int i = 0; i < 3; ++i) change.b[i] -= options.colour_gain * random.normal();
  return change;
}

void change_stain(std::vector<float>& rgb, const StainChange& change) {
  static const std::vector<float> kDensity = [] {
    std::vector<float> table(1021);  // quarter steps of 8 bits
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = -std::log((static_cast<float>(i) / 4 + 1) / 256);
    return table;
  }();
  for (std::size_t p = 0; p < rgb.size(); p += 3) {
    std::array<float, 3> density;
    for (int c = 0; c < 3; ++c) density[c] = kDensity[static_cast<std::size_t>(rgb[p + c] * 4 + 0.5F)];
    for (int c = 0; c < 3; ++c) {
      const auto& row = change.a[c];
      const float d = static_cast<float>(row[0]) * density[0] + static_cast<float>(row[1]) * density[1] +
                      static_cast<float>(row[2]) * density[2] + static_cast<float>(change.b[c]);
      rgb[p + c] = std::clamp(256 * std::exp(-d) - 1, 0.0F, 255.0F);
    }
  }
}

/// Separable Gaussian blur with mirrored edges.
void blur(std::vector<float>& rgb, int side, double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(2.5 * sigma)));
  std::vector<float> kernel;
  float total = 0;
  for (int i = -radius; i <= radius; ++i) {
    kernel.push_back(static_cast<float>(std::exp(-0.5 * i * i / (sigma * sigma))));
    total += kernel.back();
  }
  for (float& k : kernel) k /= total;
  std::vector<float> other(rgb.size());
  const auto pass = [&](const std::vector<float>& from, std::vector<float>& to, bool along_x) {
    for (int v = 0; v < side; ++v) {
      for (int u = 0; u < side; ++u) {
        std::array<float, 3> sum{};
        for (int k = -radius; k <= radius; ++k) {
          const int x = along_x ? mirrored(u + k, side) : u, y = along_x ? v : mirrored(v + k, side);
          const float* pixel = &from[(static_cast<std::size_t>(y) * side + x) * 3];
          for (int c = 0; c < 3; ++c) sum[c] += kernel[k + radius] * pixel[c];
        }
        std::copy(sum.begin(), sum.end(), to.begin() + (static_cast<std::ptrdiff_t>(v) * side + u) * 3);
      }
    }
  };
  pass(rgb, other, true);
  pass(other, rgb, false);
}

/// Makes one side of a wavy line through the view bright and nearly without structure, as glass beside tissue is.
void add_glass(std::vector<float>& rgb, std::uint8_t* mask, int side, Random& random) {
  const double angle = random.uniform(0, 2 * std::numbers::pi), c = std::cos(angle), s = std::sin(angle);
  const double offset = random.uniform(-0.1, 0.45) * side;  // of the line from the centre; glass lies beyond it
  const double wave = random.uniform(0, 0.08) * side, period = random.uniform(0.1, 0.5) * side, phase = random.uniform(0, 6.3);
  std::array<float, 3> colour;
  const double grey = random.uniform(215, 250);
  for (float& channel : colour) channel = static_cast<float>(std::min(255.0, grey + random.uniform(-6, 6)));
  for (int v = 0; v < side; ++v) {
    for (int u = 0; u < side; ++u) {
      const double x = u - side / 2.0, y = v - side / 2.0, along = -s * x + c * y;
      const double beyond = c * x + s * y - offset + wave * std::sin(along * 2 * std::numbers::pi / period + phase);
      if (beyond <= 0) continue;
      const auto share = static_cast<float>(std::min(1.0, beyond / 2));  // an edge of two pixels
      const std::size_t p = static_cast<std::size_t>(v) * side + u;
      for (int k = 0; k < 3; ++k) rgb[p * 3 + k] += share * (colour[k] + static_cast<float>(random.uniform(-2, 2)) - rgb[p * 3 + k]);
      if (mask != nullptr && beyond > 1) mask[p] = 0;
    }
  }
}

}  // namespace

AugmentOptions stronger(AugmentOptions options, double times) {
  for (double* change : {&options.stain_sigma, &options.stain_shift, &options.colour_gain, &options.blur_px, &options.noise}) {
    *change *= times;
  }
  return options;
}

int label_of_view(int label, const torch::Tensor& mask) {
  if (label <= 0 || !mask.defined()) return label;
  const double share = mask.to(torch::kFloat32).mean().item<double>();
  if (share == 0) return 0;
  return share < 0.05 ? -1 : label;
}

LabelledImage augment(const LabelledImage& image, const AugmentOptions& options, std::uint64_t seed) {
  Random random(seed);
  const int height = static_cast<int>(image.rgb.size(0)), width = static_cast<int>(image.rgb.size(1));
  const int side = options.output_px;
  const Geometry geometry = draw_geometry(height, width, options, random);
  std::vector<float> rgb = warp(image.rgb, geometry, side);
  if (options.stain_sigma > 0 || options.stain_shift > 0 || options.colour_gain > 0) {
    change_stain(rgb, draw_stain(options, random));
  }
  LabelledImage out;
  if (image.mask.defined()) out.mask = warp_mask(image.mask, geometry, side);
  if (options.glass > 0 && random.chance(options.glass)) {
    add_glass(rgb, out.mask.defined() ? out.mask.data_ptr<std::uint8_t>() : nullptr, side, random);
  }
  out.label = label_of_view(image.label, out.mask);
  if (options.blur_px > 0 && random.chance(0.5)) {
    const double sigma = random.uniform(0, options.blur_px);
    if (sigma > 0.3) blur(rgb, side, sigma);
  }
  if (options.noise > 0 && random.chance(0.5)) {
    const auto amplitude = static_cast<float>(random.uniform(0, options.noise) * 255 * std::sqrt(3.0));
    for (float& value : rgb) value += amplitude * static_cast<float>(2 * random.uniform() - 1);
  }
  out.rgb = torch::empty({side, side, 3}, torch::kUInt8);
  auto* bytes = out.rgb.data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i < rgb.size(); ++i) bytes[i] = static_cast<std::uint8_t>(std::clamp(rgb[i] + 0.5F, 0.0F, 255.0F));
  if (image.colours) image.colours(out.rgb);
  return out;
}

namespace {

/// [1,C,side,side] float -> [1,C,patch,patch]
torch::Tensor resize_square(const torch::Tensor& x, std::int64_t patch_px) {
  if (x.size(2) == patch_px) return x;
  return x.size(2) > patch_px ? torch::adaptive_avg_pool2d(x, {patch_px, patch_px}) : resize_bilinear(x, patch_px, patch_px);
}

}  // namespace

LabelledImage fit_to_patch(const LabelledImage& image, std::int64_t patch_px) {
  const std::int64_t height = image.rgb.size(0), width = image.rgb.size(1), side = std::min(height, width);
  const auto square = [&](const torch::Tensor& x) {  // [H,W,...]
    return x.narrow(0, (height - side) / 2, side).narrow(1, (width - side) / 2, side).to(torch::kFloat32);
  };
  LabelledImage out;
  out.label = image.label;
  const torch::Tensor rgb = resize_square(square(image.rgb).permute({2, 0, 1}).unsqueeze(0).contiguous(), patch_px);
  out.rgb = rgb.add(0.5).clamp(0, 255).to(torch::kUInt8).squeeze(0).permute({1, 2, 0}).contiguous();
  if (image.colours) image.colours(out.rgb);
  if (image.mask.defined()) {
    const torch::Tensor mask = resize_square(square(image.mask).unsqueeze(0).unsqueeze(0).contiguous(), patch_px);
    out.mask = mask.ge(0.5).to(torch::kUInt8).squeeze(0).squeeze(0).contiguous();
  }
  return out;
}

}  // namespace clmnet::nets
