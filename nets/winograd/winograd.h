#pragma once

#include "nets/torch.h"
#include "nets/winograd/stripe.h"

namespace clmnet::nets {

/// 3 x 3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3): a tile of 4 x 4 outputs takes 36 products for
/// each pair of channels in place of 144.  Lavin & Gray 2016, arXiv:1509.09308.
/// Float32 on a CPU. Results differ from the plain ones by rounding, of about 2e-5 of the largest output at 512 channels; they are
/// the same for any number of threads and any batch. One layer may be run by several threads.
class WinogradConv {
 public:
  using Options = torch::nn::detail::ConvNdOptions<2>;

  /// Whether it is faster than oneDNN here. Measured on one core (Zen 4, AVX-512, 105 GFLOP/s in oneDNN), GFLOP/s of the plain
  /// count: 8 channels 107, 16 145, 32 220, 64 236-260, 128 278-320, 512 357; so it pays from 8 input channels on. With 3 (the
  /// first layer) there is nothing to amortise the transform of the input, and 3 -> 16 takes twice oneDNN's time.
  /// Tiles overhang where a side is no multiple of four (of four times the dilation): at 14 px 1.31 outputs are computed for one
  /// that is kept, which still wins by 1.8; the gain is gone at about two, so 1.5 is the limit.
  /// False where the processor has no AVX2.
  static bool pays(const Options& how, const torch::Tensor& x);

  /// weight  [out, in, 3, 3];  bias  [out] or undefined;  padding and dilation of `how`, which has stride and groups 1
  /// kernels  those of this processor; it must have them
  WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias, const Options& how, const winograd::Kernels& kernels);
  WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias, const Options& how);

  /// [N,in,H,W] of any layout -> [N,out,H',W'] with channels last.
  torch::Tensor forward(const torch::Tensor& x, bool relu) const;

 private:
  void pack(const torch::Tensor& weight);
  winograd::Convolution convolution_of(const torch::Tensor& x, const torch::Tensor& y, bool relu) const;

  const winograd::Kernels& kernels_;
  std::int64_t in_channels_ = 0, out_channels_ = 0;
  std::int64_t padding_y_ = 0, padding_x_ = 0, dilation_ = 1;
  torch::Tensor packed_, bias_;
};

namespace winograd {

/// The fastest that this processor has; none without AVX2.
const Kernels* best_kernels();

/// All that it has.
std::vector<const Kernels*> usable_kernels();

}  // namespace winograd
}  // namespace clmnet::nets
