// Winograd's convolution beside torch::conv2d in float64, on each kind of kernel that this processor has.
#include "nets/winograd/winograd.h"

#include <array>
#include <cmath>
#include <limits>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

namespace nn = torch::nn;
using winograd::Kernels;

struct WinogradLayer {
  std::int64_t in, out, padding, dilation;
  bool bias, relu;
};

nn::Conv2dOptions options_of(const WinogradLayer& layer) {
  return nn::Conv2dOptions(layer.in, layer.out, 3).padding(layer.padding).dilation(layer.dilation).bias(layer.bias);
}

/// Largest difference from float64's convolution, as a share of the largest sum of absolute products that an output could be.
double error_of(const WinogradConv& conv, nn::Conv2d plain, const torch::Tensor& x, bool relu) {
  const auto& how = plain->options;
  const torch::Tensor w = plain->weight.to(torch::kFloat64), wide = x.to(torch::kFloat64);
  const torch::Tensor b = plain->bias.defined() ? plain->bias.to(torch::kFloat64) : torch::Tensor();
  const auto padding = *std::get<torch::ExpandingArray<2>>(how.padding());
  torch::Tensor want = torch::conv2d(wide, w, b, 1, padding, how.dilation());
  if (relu) want = torch::relu(want);
  const torch::Tensor got = conv.forward(x, relu);
  EXPECT_EQ(got.sizes(), want.sizes());
  EXPECT_TRUE(got.is_contiguous(at::MemoryFormat::ChannelsLast));
  const double most = torch::conv2d(wide.abs(), w.abs(), {}, 1, padding, how.dilation()).max().item<double>();
  return (got - want).abs().max().item<double>() / most;
}

/// Float32 keeps 6e-8 and the transforms multiply rounding: up to 3.5e-6 was seen. A wrong index is off by more than 1e-2.
constexpr double kRounding = 1e-5;

class EachKernel : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    const auto usable = winograd::usable_kernels();
    if (GetParam() >= usable.size()) GTEST_SKIP() << "this processor lacks AVX2 or AVX-512";
    kernels_ = usable[GetParam()];
    torch::manual_seed(7);
  }

  const torch::NoGradGuard no_grad_;
  const Kernels* kernels_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Processors, EachKernel, ::testing::Values(0, 1));

// Channels on both sides of a register (8, 16) and a panel (16, 32), with and without a rest.
TEST_P(EachKernel, TakesAnyNumberOfChannels) {
  for (const std::int64_t in : {1, 3, 8, 20, 64, 100}) {
    for (const std::int64_t out : {1, 8, 9, 17, 24, 33, 64, 100}) {
      const WinogradLayer layer{in, out, 1, 1, true, true};
      nn::Conv2d plain(options_of(layer));
      const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
      EXPECT_LT(error_of(conv, plain, torch::randn({2, in, 9, 14}), true), kRounding) << in << " -> " << out;
    }
  }
}

TEST_P(EachKernel, TakesAnySizeAndBatch) {
  nn::Conv2d plain(options_of({16, 24, 1, 1, true, false}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  const std::vector<std::array<std::int64_t, 3>> shapes = {{1, 1, 1}, {3, 1, 1}, {2, 1, 9}, {1, 7, 1},  {1, 4, 4},
                                                           {3, 5, 5}, {2, 3, 8}, {1, 6, 6}, {2, 13, 31}, {1, 40, 23}};
  for (const auto& [batch, height, width] : shapes) {
    const torch::Tensor x = torch::randn({batch, 16, height, width});
    EXPECT_LT(error_of(conv, plain, x, false), kRounding) << x.sizes();
    EXPECT_LT(error_of(conv, plain, x.contiguous(at::MemoryFormat::ChannelsLast), false), kRounding) << x.sizes();
  }
}

TEST_P(EachKernel, TakesAnyPaddingAndDilation) {
  const std::vector<WinogradLayer> layers = {{16, 8, 0, 1, false, false}, {8, 16, 2, 1, true, true},  {8, 40, 2, 2, false, true},
                                             {32, 8, 4, 4, true, false},  {24, 16, 0, 3, true, true}, {8, 8, 12, 12, true, false}};
  for (const WinogradLayer& layer : layers) {
    nn::Conv2d plain(options_of(layer));
    const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
    EXPECT_LT(error_of(conv, plain, torch::randn({2, layer.in, 15, 18}), layer.relu), kRounding)
        << "padding " << layer.padding << ", dilation " << layer.dilation;
  }
}

TEST_P(EachKernel, HasItsOwnPaddingOnEachAxis) {
  nn::Conv2d plain(nn::Conv2dOptions(8, 8, 3).padding({0, 2}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  EXPECT_LT(error_of(conv, plain, torch::randn({1, 8, 7, 10}), false), kRounding);
}

// 512 channels: the largest that the networks have, and more weights than the last cache.
TEST_P(EachKernel, LosesLittleToRoundingAt512Channels) {
  nn::Conv2d plain(options_of({512, 512, 1, 1, true, true}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  const torch::Tensor x = torch::relu(torch::randn({1, 512, 14, 14}));
  EXPECT_LT(error_of(conv, plain, x, true), kRounding);
  const torch::Tensor want = torch::relu(plain->forward(x));
  EXPECT_LT((conv.forward(x, true) - want).abs().max().item<double>() / want.max().item<double>(), 1e-4);
}

// A stripe is never cut through an image's own sums: neither threads nor neighbours in the batch change a digit.
TEST_P(EachKernel, SaysTheSameWithAnyThreadsAndBatch) {
  nn::Conv2d plain(options_of({40, 24, 1, 1, true, true}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  const torch::Tensor x = torch::randn({3, 40, 33, 30});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const torch::Tensor one = conv.forward(x, true);
  at::set_num_threads(2);
  const torch::Tensor two = conv.forward(x, true);
  at::set_num_threads(before);
  EXPECT_TRUE(one.equal(two));
  EXPECT_TRUE(conv.forward(x.slice(0, 1, 2), true).equal(one.slice(0, 1, 2)));
}

// What is not a number may spread over its tile, not beyond, and ReLU does not hide it.
TEST_P(EachKernel, KeepsWhatIsNotANumber) {
  nn::Conv2d plain(options_of({8, 8, 1, 1, true, true}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  torch::Tensor x = torch::randn({1, 8, 16, 16});
  x.index_put_({0, 0, 6, 6}, std::numeric_limits<float>::quiet_NaN());
  const torch::Tensor bad = conv.forward(x, true).isnan().any(1)[0];
  EXPECT_TRUE(bad[5][5].item<bool>());
  EXPECT_FALSE(bad.slice(0, 12).any().item<bool>());
  EXPECT_FALSE(bad.slice(1, 12).any().item<bool>());
}

TEST_P(EachKernel, RefusesOtherChannelsAndImagesThatAreTooSmall) {
  nn::Conv2d plain(options_of({8, 8, 0, 1, true, false}));
  const WinogradConv conv(plain->weight, plain->bias, plain->options, *kernels_);
  EXPECT_THROW(conv.forward(torch::randn({1, 9, 8, 8}), false), std::invalid_argument);
  EXPECT_THROW(conv.forward(torch::randn({1, 8, 2, 8}), false), std::invalid_argument);
}

bool pays(const nn::Conv2dOptions& how, std::int64_t side) {
  WinogradConv::Options options(how.in_channels(), how.out_channels(), how.kernel_size());
  options.stride(how.stride()).padding(how.padding()).dilation(how.dilation()).groups(how.groups());
  return WinogradConv::pays(options, torch::empty({1, how.in_channels(), side, side}));
}

TEST(WinogradPays, OnlyWhereATileIsMostlyKept) {
  if (winograd::best_kernels() == nullptr) GTEST_SKIP() << "this processor lacks AVX2";
  const auto layer = [](std::int64_t in) { return nn::Conv2dOptions(in, 16, 3).padding(1); };
  EXPECT_TRUE(pays(layer(16), 224));
  EXPECT_TRUE(pays(layer(16), 14));   // 16 x 16 computed
  EXPECT_FALSE(pays(layer(16), 6));   // 8 x 8 computed for 6 x 6
  EXPECT_FALSE(pays(layer(16), 1));
  EXPECT_FALSE(pays(layer(3), 224));  // the first layer
  EXPECT_TRUE(pays(nn::Conv2dOptions(16, 16, 3).padding(4).dilation(4), 28));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 3).padding(12).dilation(12), 28));
}

TEST(WinogradPays, NeverForOtherConvolutions) {
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 1), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 5).padding(2), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 3).stride(2).padding(1), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 3).groups(2).padding(1), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, {3, 1}).padding({1, 0}), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 3).dilation({1, 2}), 64));
  EXPECT_FALSE(pays(nn::Conv2dOptions(16, 16, 3), 2));  // no output at all
}

}  // namespace
}  // namespace clmnet::nets
