#include "nets/class_activation.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

/// Class logits are w times the channels' means; class 0's are 0.
class LinearHead : public Member {
 public:
  explicit LinearHead(torch::Tensor weight) : weight_(std::move(weight)) {}
  MemberOutput predict(const torch::Tensor& x) override { return {classify(x), {}, {}, x}; }
  torch::Tensor classify(const torch::Tensor& a) override {
    const torch::Tensor tumour = a.mean({2, 3}).matmul(weight_);
    return torch::stack({torch::zeros_like(tumour), tumour}, 1);
  }

 private:
  torch::Tensor weight_;
};

// 2 x 2 map, one channel of 4, 0, 0, 0 with weight 2: g = 2/4 everywhere, so alpha and the channel's weight are above 0 and
// the map is the channel itself, its largest value 1.
TEST(GradCamPlusPlus, OneChannelByHand) {
  LinearHead head(torch::tensor({2.0F}));
  const torch::Tensor a = torch::tensor({4.0F, 0.0F, 0.0F, 2.0F}).view({1, 1, 2, 2});
  EXPECT_TRUE(torch::allclose(grad_cam_plus_plus(head, a), torch::tensor({1.0F, 0.0F, 0.0F, 0.5F}).view({1, 2, 2})));
}

// Two channels of equal sum s = 4, weights 2 and 1: g = 1/2 and 1/4, alpha = 1 / (2 + s g) = 1/4 and 1/3, so the channels weigh
// 4 * 1/4 * 1/2 = 1/2 and 4 * 1/3 * 1/4 = 1/3: where the first alone is active 1, where the second is 2/3.
TEST(GradCamPlusPlus, TwoChannelsByHand) {
  LinearHead head(torch::tensor({2.0F, 1.0F}));
  const torch::Tensor a = torch::tensor({4.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 4.0F}).view({1, 2, 2, 2});
  EXPECT_TRUE(torch::allclose(grad_cam_plus_plus(head, a), torch::tensor({1.0F, 0.0F, 0.0F, 2.0F / 3}).view({1, 2, 2})));
}

TEST(GradCamPlusPlus, WhatSpeaksAgainstTumourLeavesNothing) {
  LinearHead head(torch::tensor({-1.0F}));
  EXPECT_EQ(grad_cam_plus_plus(head, torch::rand({2, 1, 3, 3})).abs().max().item<float>(), 0);
  EXPECT_EQ(grad_cam_plus_plus(head, torch::zeros({2, 1, 3, 3})).abs().max().item<float>(), 0);
}

class EveryMemberShows : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Networks, EveryMemberShows, ::testing::ValuesIn(member_names()));

TEST_P(EveryMemberShows, AMapFromZeroToOneInInferenceModeToo) {
  MemberOptions options;
  options.network = GetParam();
  options.width = 0.125;
  auto member = make_member(options);
  member->eval();
  const c10::InferenceMode inference;
  const MemberOutput said = member->predict(torch::randn({2, 3, 96, 96}));
  EXPECT_TRUE(torch::allclose(member->classify(said.activation), said.class_logits, 1e-4, 1e-5));
  const torch::Tensor map = grad_cam_plus_plus(*member, said.activation);
  EXPECT_EQ(map.size(1), said.activation.size(2));
  EXPECT_GE(map.min().item<float>(), 0);
  EXPECT_LE(map.max().item<float>(), 1);
}

}  // namespace
}  // namespace clmnet::nets
