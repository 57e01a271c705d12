#include "nets/stain_layer.h"

#include <stdexcept>

namespace clmnet::nets {
namespace {

// IEC 61966-2-1 (sRGB, D65) and CIE 1976 L*a*b*.
torch::Tensor rgb_to_xyz() {
  const torch::Tensor matrix = torch::tensor({0.412453, 0.357580, 0.180423, 0.212671, 0.715160, 0.072169, 0.019334, 0.119193, 0.950227},
                                             torch::kFloat32).view({3, 3});
  return matrix / torch::tensor({0.950456, 1.0, 1.088754}, torch::kFloat32).view({3, 1});  // of white: 1 1 1
}

/// [...,3] R G B, 0 to 1 -> L* (0 to 100) a* b*
torch::Tensor to_lab(const torch::Tensor& rgb) {
  const torch::Tensor linear = torch::where(rgb.le(0.04045), rgb / 12.92, ((rgb + 0.055) / 1.055).pow(2.4));
  const torch::Tensor xyz = linear.matmul(rgb_to_xyz().t());
  const torch::Tensor f = torch::where(xyz.gt(0.008856), xyz.clamp_min(1e-6).pow(1.0 / 3), xyz * 7.787 + 16.0 / 116);
  const torch::Tensor x = f.select(-1, 0), y = f.select(-1, 1), z = f.select(-1, 2);
  return torch::stack({y * 116 - 16, (x - y) * 500, (y - z) * 200}, -1);
}

/// The other way round; colours outside the cube come to its side.
torch::Tensor to_rgb(const torch::Tensor& lab) {
  const torch::Tensor y = (lab.select(-1, 0) + 16) / 116;
  const torch::Tensor f = torch::stack({y + lab.select(-1, 1) / 500, y, y - lab.select(-1, 2) / 200}, -1);
  const torch::Tensor xyz = torch::where(f.gt(0.206893), f.pow(3), (f - 16.0 / 116) / 7.787);
  const torch::Tensor linear = xyz.matmul(torch::inverse(rgb_to_xyz()).t());
  return torch::where(linear.le(0.0031308), linear * 12.92, linear.clamp_min(1e-6).pow(1 / 2.4) * 1.055 - 0.055).clamp(0, 1);
}

}  // namespace

torch::Tensor normalise_tiles(const torch::Tensor& rgb, const StainTarget& stain) {
  if (stain.method != "reinhard") throw std::invalid_argument("normalise_tiles: '" + stain.method + "', expected reinhard");
  const auto three = [&](std::size_t from) {
    return torch::tensor({stain.reference.at(from), stain.reference.at(from + 1), stain.reference.at(from + 2)}, torch::kFloat32);
  };
  const torch::Tensor pixels = rgb.permute({0, 2, 3, 1});
  const torch::Tensor grey = pixels.matmul(torch::tensor({0.299, 0.587, 0.114}, torch::kFloat32));
  const torch::Tensor tissue = grey.lt(0.85).to(torch::kFloat32).unsqueeze(-1);  // [N,H,W,1]
  const torch::Tensor count = tissue.sum({1, 2}, /*keepdim=*/true), divisor = count.clamp_min(1);
  const torch::Tensor lab = to_lab(pixels);
  const torch::Tensor mean = (lab * tissue).sum({1, 2}, true) / divisor;
  const torch::Tensor deviation = (((lab - mean) * tissue).square().sum({1, 2}, true) / divisor).sqrt();
  const torch::Tensor gain = torch::where(deviation.gt(1e-6), three(3) / deviation.clamp_min(1e-6), torch::ones_like(deviation));
  const torch::Tensor moved = lab + ((lab - mean) * gain + three(0) - lab) * stain.strength;
  const torch::Tensor in_range = torch::stack({moved.select(-1, 0).clamp(0, 100), moved.select(-1, 1), moved.select(-1, 2)}, -1);
  return torch::where(count.ge(100), to_rgb(in_range), pixels).permute({0, 3, 1, 2});
}

}  // namespace clmnet::nets
