#include "nets/winograd/winograd.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>

#include <ATen/Parallel.h>

namespace clmnet::nets {

using winograd::Convolution;
using winograd::Kernels;
using winograd::kPlaces;
using winograd::Planes;

namespace winograd {

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> usable;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    if (__builtin_cpu_supports("avx512f")) usable.push_back(&kAvx512Kernels);
    usable.push_back(&kAvx2Kernels);
  }
#endif
  return usable;
}

const Kernels* best_kernels() {
  static const std::vector<const Kernels*> usable = usable_kernels();
  return usable.empty() ? nullptr : usable.front();
}

}  // namespace winograd

namespace {

/// Of the points 0, 1, -1, 2, -2 and infinity; a tile of weights becomes G w G^T.
torch::Tensor weight_transform() {
  return torch::tensor({6.0, 0.0, 0.0, -4.0, -4.0, -4.0, -4.0, 4.0, -4.0, 1.0, 2.0, 4.0, 1.0, -2.0, 4.0, 0.0, 0.0, 24.0},
                       torch::kFloat64)
             .view({6, 3}) / 24.0;
}

std::int64_t padding_of(const WinogradConv::Options& how, std::size_t axis) {
  return std::get<torch::ExpandingArray<2>>(how.padding())->at(axis);
}

std::int64_t output_side(std::int64_t side, std::int64_t padding, std::int64_t dilation) { return side + 2 * padding - 2 * dilation; }

/// Tiles along a side, over all phases of a dilation.
std::int64_t tiles_along(std::int64_t outputs, std::int64_t dilation) { return ((outputs + dilation - 1) / dilation + 3) / 4; }

/// Tiles at a time. The stripe's planes should stay in the second cache beside a panel of weights, which 28 tiles do up to 256
/// channels. Weights that do not fit into the last cache come from memory once for each stripe, so it is longer there (512
/// channels: 48 ms with 14 tiles, 44 with 28, 41 with 84).
std::int64_t tiles_of_stripe(std::int64_t weights) {
  constexpr std::int64_t kFitsLastCache = 4 << 20;  // floats
  return weights > kFitsLastCache ? 84 : 28;
}

/// Memory that a thread keeps for its next stripe, aligned as the kernels want it.
float* stripe_memory(std::int64_t floats) {
  constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(float* memory) const { ::operator delete[](memory, kLine); }
  };
  thread_local std::unique_ptr<float[], Free> memory;
  thread_local std::int64_t size = 0;
  if (size < floats) {
    memory.reset();
    memory.reset(new (kLine) float[static_cast<std::size_t>(floats)]);
    size = floats;
  }
  return memory.get();
}

std::int64_t floats_of(std::int64_t tiles, std::int64_t channels) {
  // A shorter stripe's planes are at most one line longer than they would be without the odd line between them.
  return kPlaces * (Planes::of(tiles, channels).plane + 16);
}

}  // namespace

bool WinogradConv::pays(const Options& how, const torch::Tensor& x) {
  const auto is = [](const torch::ExpandingArray<2>& pair, std::int64_t value) { return pair->at(0) == value && pair->at(1) == value; };
  const std::int64_t dilation = how.dilation()->at(0);
  if (!is(how.kernel_size(), 3) || !is(how.stride(), 1) || !is(how.dilation(), dilation) || how.groups() != 1) return false;
  if (how.in_channels() < 8 || winograd::best_kernels() == nullptr) return false;
  const std::int64_t height = output_side(x.size(2), padding_of(how, 0), dilation), width = output_side(x.size(3), padding_of(how, 1), dilation);
  const std::int64_t computed = 16 * dilation * dilation * tiles_along(height, dilation) * tiles_along(width, dilation);
  return height > 0 && width > 0 && 2 * computed <= 3 * height * width;
}

WinogradConv::WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias, const Options& how)
    : WinogradConv(weight, bias, how, *winograd::best_kernels()) {}

WinogradConv::WinogradConv(const torch::Tensor& weight, const torch::Tensor& bias, const Options& how, const Kernels& kernels)
    : kernels_(kernels),
      in_channels_(weight.size(1)),
      out_channels_(weight.size(0)),
      padding_y_(padding_of(how, 0)),
      padding_x_(padding_of(how, 1)),
      dilation_(how.dilation()->at(0)),
      bias_(bias.defined() ? bias.to(torch::kFloat32).contiguous() : torch::Tensor()) {
  pack(weight);
}

void WinogradConv::pack(const torch::Tensor& weight) {
  // g w g^T of every pair of channels as one product: [36,9] by [9,in * out].
  const torch::Tensor g = weight_transform();
  const torch::Tensor taps = weight.to(torch::kFloat64).permute({2, 3, 1, 0}).reshape({9, in_channels_ * out_channels_});
  const torch::Tensor planes = torch::matmul(torch::kron(g, g), taps).view({kPlaces, in_channels_, out_channels_});
  packed_ = torch::zeros({kPlaces, in_channels_ * winograd::padded_channels(out_channels_, kernels_.panel)}, torch::kFloat32);
  for (std::int64_t k = 0; k < out_channels_;) {
    const std::int64_t width = winograd::panel_width(out_channels_ - k, kernels_.panel);
    const std::int64_t count = std::min(width, out_channels_ - k);
    torch::Tensor panel = packed_.slice(1, in_channels_ * k, in_channels_ * (k + width)).view({kPlaces, in_channels_, width});
    panel.slice(2, 0, count).copy_(planes.slice(2, k, k + count));
    k += width;
  }
}

Convolution WinogradConv::convolution_of(const torch::Tensor& x, const torch::Tensor& y, bool relu) const {
  Convolution conv;
  conv.in = x.const_data_ptr<float>();
  conv.out = y.data_ptr<float>();
  conv.weight = packed_.const_data_ptr<float>();
  conv.bias = bias_.defined() ? bias_.const_data_ptr<float>() : nullptr;
  conv.in_height = x.size(2);
  conv.in_width = x.size(3);
  conv.in_channels = in_channels_;
  conv.out_height = y.size(2);
  conv.out_width = y.size(3);
  conv.out_channels = out_channels_;
  conv.padding_y = padding_y_;
  conv.padding_x = padding_x_;
  conv.dilation = dilation_;
  conv.tile_rows = tiles_along(y.size(2), dilation_);
  conv.tile_columns = tiles_along(y.size(3), dilation_);
  conv.relu = relu;
  return conv;
}

torch::Tensor WinogradConv::forward(const torch::Tensor& input, bool relu) const {
  const std::int64_t height = output_side(input.size(2), padding_y_, dilation_), width = output_side(input.size(3), padding_x_, dilation_);
  if (input.size(1) != in_channels_ || height < 1 || width < 1) {
    throw std::invalid_argument("a 3 x 3 convolution of " + std::to_string(in_channels_) + " channels does not take " + c10::str(input.sizes()));
  }
  const torch::Tensor x = input.to(torch::kFloat32).contiguous(at::MemoryFormat::ChannelsLast);
  torch::Tensor y = torch::empty({x.size(0), out_channels_, height, width}, x.options(), at::MemoryFormat::ChannelsLast);
  const Convolution conv = convolution_of(x, y, relu);
  const std::int64_t padded = winograd::padded_channels(out_channels_, kernels_.panel);
  const std::int64_t tiles = x.size(0) * dilation_ * dilation_ * conv.tile_rows * conv.tile_columns;
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t stripe = std::max<std::int64_t>(1, std::min(tiles_of_stripe(packed_.numel()), (tiles + threads - 1) / threads));
  at::parallel_for(0, (tiles + stripe - 1) / stripe, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t in_floats = floats_of(stripe, in_channels_);
    float* memory = stripe_memory(in_floats + floats_of(stripe, padded));
    for (std::int64_t first = begin * stripe; first < std::min(end * stripe, tiles); first += stripe) {
      kernels_.run(conv, first, std::min(stripe, tiles - first), memory, memory + in_floats);
    }
  });
  return y;
}

}  // namespace clmnet::nets
