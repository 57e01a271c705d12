#include "nets/stain_layer.h"

#include <array>
#include <stdexcept>

namespace clmnet::nets {
namespace {

// Numbers stand in the operations themselves: a tensor of numbers would stay on the CPU when a program is moved to a GPU.
using Channels = std::array<torch::Tensor, 3>;  ///< [N,H,W] each
using Matrix = std::array<std::array<double, 3>, 3>;

// IEC 61966-2-1 (sRGB, D65), the rows of XYZ divided by white's; and CIE 1976 L*a*b*.
constexpr double kWhiteX = 0.950456, kWhiteZ = 1.088754;
constexpr Matrix kToXyz = {{{0.412453 / kWhiteX, 0.357580 / kWhiteX, 0.180423 / kWhiteX},
                            {0.212671, 0.715160, 0.072169},
                            {0.019334 / kWhiteZ, 0.119193 / kWhiteZ, 0.950227 / kWhiteZ}}};
constexpr Matrix kFromXyz = {{{3.240479 * kWhiteX, -1.537150, -0.498535 * kWhiteZ},
                              {-0.969256 * kWhiteX, 1.875991, 0.041556 * kWhiteZ},
                              {0.055648 * kWhiteX, -0.204043, 1.057311 * kWhiteZ}}};

template <class Each>
Channels each(const Channels& channels, const Each& change) {
  return {change(channels[0]), change(channels[1]), change(channels[2])};
}

Channels mixed(const Matrix& matrix, const Channels& c) {
  const auto row = [&](std::size_t i) { return c[0] * matrix[i][0] + c[1] * matrix[i][1] + c[2] * matrix[i][2]; };
  return {row(0), row(1), row(2)};
}

/// R G B, 0 to 1 -> L* (0 to 100) a* b*
Channels to_lab(const Channels& rgb) {
  const Channels linear =
      each(rgb, [](const torch::Tensor& v) { return torch::where(v.le(0.04045), v / 12.92, ((v + 0.055) / 1.055).pow(2.4)); });
  const Channels f = each(mixed(kToXyz, linear), [](const torch::Tensor& v) {
    return torch::where(v.gt(0.008856), v.clamp_min(1e-6).pow(1.0 / 3), v * 7.787 + 16.0 / 116);
  });
  return {f[1] * 116 - 16, (f[0] - f[1]) * 500, (f[1] - f[2]) * 200};
}

/// The other way round; colours outside the cube come to its side.
Channels to_rgb(const Channels& lab) {
  const torch::Tensor y = (lab[0] + 16) / 116;
  const Channels xyz = each({y + lab[1] / 500, y, y - lab[2] / 200}, [](const torch::Tensor& f) {
    return torch::where(f.gt(0.206893), f.pow(3), (f - 16.0 / 116) / 7.787);
  });
  return each(mixed(kFromXyz, xyz), [](const torch::Tensor& v) {
    return torch::where(v.le(0.0031308), v * 12.92, v.clamp_min(1e-6).pow(1 / 2.4) * 1.055 - 0.055).clamp(0, 1);
  });
}

}  // namespace

torch::Tensor normalise_tiles(const torch::Tensor& rgb, const StainTarget& stain) {
  if (stain.method != "reinhard") throw std::invalid_argument("normalise_tiles: '" + stain.method + "', expected reinhard");
  const Channels pixels = {rgb.select(1, 0), rgb.select(1, 1), rgb.select(1, 2)};
  const torch::Tensor tissue = (pixels[0] * 0.299 + pixels[1] * 0.587 + pixels[2] * 0.114).lt(0.85).to(torch::kFloat32);
  const torch::Tensor count = tissue.sum({1, 2}, /*keepdim=*/true), divisor = count.clamp_min(1);
  Channels lab = to_lab(pixels);
  for (std::size_t c = 0; c < 3; ++c) {
    const torch::Tensor mean = (lab[c] * tissue).sum({1, 2}, true) / divisor;
    const torch::Tensor deviation = (((lab[c] - mean) * tissue).square().sum({1, 2}, true) / divisor).sqrt();
    const torch::Tensor gain = torch::where(deviation.gt(1e-6), deviation.clamp_min(1e-6).reciprocal() * stain.reference.at(3 + c),
                                            torch::ones_like(deviation));
    lab[c] = lab[c] + ((lab[c] - mean) * gain + stain.reference.at(c) - lab[c]) * stain.strength;
  }
  lab[0] = lab[0].clamp(0, 100);
  const Channels out = to_rgb(lab);
  return torch::where(count.ge(100).unsqueeze(1), torch::stack({out[0], out[1], out[2]}, 1), rgb);
}

}  // namespace clmnet::nets
