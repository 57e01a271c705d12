// Prepared convolutions say what plain ones say; counted operations are those one counts by hand.
#include "nets/conv.h"

#include <array>

#include <gtest/gtest.h>

#include "nets/flops.h"
#include "nets/member.h"

namespace clmnet::nets {
namespace {

namespace nn = torch::nn;

/// A normalisation that changes something, as after training.
void unsettle(nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& part : module.modules()) {
    auto* norm = part->as<nn::BatchNorm2dImpl>();
    if (norm == nullptr) continue;
    norm->running_mean.normal_(0, 0.2);
    norm->running_var.uniform_(0.5, 2.0);
    norm->weight.uniform_(0.5, 1.5);
    norm->bias.normal_(0, 0.2);
  }
}

struct Layer {
  std::int64_t in, out, kernel, stride, dilation;
  bool bias, norm, add, relu;
};

class EveryTail : public ::testing::TestWithParam<Layer> {};
INSTANTIATE_TEST_SUITE_P(Layers, EveryTail,
                         ::testing::Values(Layer{3, 8, 3, 1, 1, true, true, false, true},
                                           Layer{16, 16, 3, 1, 1, false, true, true, true},
                                           Layer{16, 24, 1, 2, 1, false, true, false, false},
                                           Layer{8, 16, 3, 1, 4, false, true, true, false},
                                           Layer{8, 2, 1, 1, 1, true, false, false, false},
                                           Layer{5, 7, 3, 2, 1, false, false, true, true}));

TEST_P(EveryTail, PreparedItGivesWhatThePlainLayersGive) {
  const Layer& layer = GetParam();
  torch::manual_seed(3);
  const torch::NoGradGuard no_grad;
  Conv conv(nn::Conv2dOptions(layer.in, layer.out, layer.kernel)
                .stride(layer.stride)
                .padding(layer.kernel == 1 ? 0 : layer.dilation)
                .dilation(layer.dilation)
                .bias(layer.bias));
  nn::BatchNorm2d norm(layer.out);
  unsettle(*norm);
  conv->eval();
  norm->eval();
  // The copy is made for the first and serves all, down to a single row, column or pixel.
  const std::vector<std::array<std::int64_t, 3>> shapes = {{2, 13, 18}, {1, 13, 18}, {5, 3, 4}, {2, 1, 1}, {3, 1, 9}, {1, 6, 1}};
  for (const auto& [batch, height, width] : shapes) {
    const torch::Tensor x = torch::randn({batch, layer.in, height, width});
    torch::Tensor want = conv->nn::Conv2dImpl::forward(x);
    if (layer.norm) want = norm(want);
    ConvTail tail;
    tail.norm = layer.norm ? norm.get() : nullptr;
    tail.relu = layer.relu;
    if (layer.add) {
      tail.add = torch::randn_like(want);
      want = want + tail.add;
    }
    if (layer.relu) want = torch::relu(want);
    conv->prepare();
    const torch::Tensor got = conv->run(x, tail);
    EXPECT_TRUE(torch::allclose(got, want, 1e-5, 1e-5)) << (got - want).abs().max().item<float>();
  }
}

TEST(Conv, PreparedItStillTrains) {
  Conv conv(nn::Conv2dOptions(3, 8, 3));
  conv->prepare();
  conv->run(torch::randn({1, 3, 8, 8}), {.relu = true}).sum().backward();
  EXPECT_TRUE(conv->weight.grad().defined());
}

TEST(Conv, HasTheKeysOfTorchsOwn) {
  const auto parameters = Conv(nn::Conv2dOptions(3, 8, 3))->named_parameters();
  EXPECT_TRUE(parameters.contains("weight"));
  EXPECT_TRUE(parameters.contains("bias"));
  EXPECT_EQ(parameters.size(), 2U);
}

class PreparedMember : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Networks, PreparedMember, ::testing::ValuesIn(member_names()));

TEST_P(PreparedMember, SaysTheSameWithinAThousandth) {
  torch::manual_seed(5);
  const torch::NoGradGuard no_grad;
  MemberOptions options;
  options.network = GetParam();
  options.width = 0.125;
  auto member = make_member(options);
  unsettle(*member);
  member->eval();
  const torch::Tensor x = torch::randn({2, 3, 96, 80});
  const MemberOutput plain = member->predict(x);
  prepare_for_inference(*member);
  for (int call = 0; call < 2; ++call) {
    const MemberOutput fast = member->predict(x.contiguous(at::MemoryFormat::ChannelsLast));
    const auto near = [](const torch::Tensor& got, const torch::Tensor& want) {
      return (got - want).abs().max().item<double>() / std::max(1.0, want.abs().max().item<double>());
    };
    EXPECT_LT(near(fast.class_logits, plain.class_logits), 1e-3);
    EXPECT_LT(near(fast.map_logits, plain.map_logits), 1e-3);
    EXPECT_LT(near(fast.features, plain.features), 1e-3);
  }
  member->train();  // training sees the weights, not the folded copy
  EXPECT_TRUE(member->predict(x.slice(0, 0, 2)).class_logits.defined());
}

// A tile of 32 px leaves a ResNet's last stage one pixel.
TEST(PreparedResNet, TakesTilesOfWhichOnePixelIsLeft) {
  torch::manual_seed(6);
  const torch::NoGradGuard no_grad;
  MemberOptions options;
  options.network = "resnet50";
  options.width = 0.125;
  auto member = make_member(options);
  unsettle(*member);
  member->eval();
  const torch::Tensor x = torch::randn({2, 3, 32, 32});
  const torch::Tensor plain = member->predict(x).class_logits;
  prepare_for_inference(*member);
  EXPECT_LT((member->predict(x).class_logits - plain).abs().max().item<double>(), 1e-3 * std::max(1.0, plain.abs().max().item<double>()));
}

TEST(RunChain, LeavesLayersWithoutConvolutionAsTheyAre) {
  nn::Sequential chain(nn::ReLU(), nn::MaxPool2d(2), nn::ReLU());
  const torch::Tensor x = torch::randn({1, 2, 4, 4});
  EXPECT_TRUE(run_chain(*chain, x).equal(chain->forward(x)));
  EXPECT_TRUE(run_chain(*chain, x, 1, 1).equal(x));  // nothing to run
}

// 3 -> 8 channels, 3 x 3, 10 x 6 outputs, batch 2: each output is 27 products and sums.
TEST(CountFlops, AConvolutionByHand) {
  nn::Conv2d conv(nn::Conv2dOptions(3, 8, 3).padding(1));
  const torch::Tensor x = torch::randn({2, 3, 10, 6});
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(count_flops([&] { conv(x); }), 2 * 27 * (2 * 8 * 10 * 6));
}

TEST(CountFlops, StrideDilationAndGroupsByHand) {
  nn::Conv2d conv(nn::Conv2dOptions(4, 6, 3).stride(2).padding(2).dilation(2).groups(2));
  const torch::Tensor x = torch::randn({1, 4, 8, 8});
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(count_flops([&] { conv(x); }), 2 * (2 * 9) * (6 * 4 * 4));  // two input channels a group
}

TEST(CountFlops, ATransposedConvolutionByHand) {
  nn::ConvTranspose2d up(nn::ConvTranspose2dOptions(6, 4, 2).stride(2));
  const torch::Tensor x = torch::randn({1, 6, 5, 5});
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(count_flops([&] { up(x); }), 2 * (6 * 5 * 5) * (4 * 4));  // each input goes to 4 channels at 2 x 2 places
}

TEST(CountFlops, ALinearLayerByHandAndNothingElse) {
  nn::Linear linear(7, 5);
  const torch::Tensor x = torch::randn({3, 7});
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(count_flops([&] { torch::relu(linear(x)); }), 2 * 3 * 7 * 5);
  EXPECT_EQ(count_flops([&] { torch::relu(x); }), 0);
}

TEST(CountFlops, ForgetsARunThatThrew) {
  EXPECT_THROW(count_flops([] { throw std::runtime_error("no"); }), std::runtime_error);
  nn::Linear linear(2, 2);
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(count_flops([&] { linear(torch::zeros({1, 2})); }), 8);
}

}  // namespace
}  // namespace clmnet::nets
