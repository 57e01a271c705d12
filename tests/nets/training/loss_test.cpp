#include "nets/training/loss.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clmnet::nets {
namespace {

Batch batch_of(std::vector<std::int64_t> labels, const torch::Tensor& mask) {
  Batch batch;
  batch.label = torch::tensor(labels, torch::kInt64);
  batch.mask = mask;
  return batch;
}

MemberOutput zeros(std::int64_t n, std::int64_t side) {
  MemberOutput output;
  output.class_logits = torch::zeros({n, 2}, torch::requires_grad());
  output.map_logits = torch::zeros({n, 2, side, side}, torch::requires_grad());
  return output;
}

LossOptions plain() {
  LossOptions options;
  options.label_smoothing = 0;
  return options;
}

TEST(MultiTaskLoss, AtEqualLogitsByHand) {
  const MemberOutput output = zeros(2, 2);
  torch::Tensor mask = torch::zeros({2, 2, 2}, torch::kInt64);
  mask[0] = 1;  // four tumour pixels of eight
  const Loss loss = multi_task_loss(output, batch_of({1, 0}, mask), plain());
  EXPECT_NEAR(loss.class_loss, std::log(2.0), 1e-6);
  // Every pixel has probability 1/2: Dice = (2 * 2 + 1) / (4 + 4 + 1).
  EXPECT_NEAR(loss.mask_loss, std::log(2.0) + 1 - 5.0 / 9, 1e-6);
  EXPECT_NEAR(loss.total.item<double>(), loss.class_loss + loss.mask_loss, 1e-6);
}

TEST(MultiTaskLoss, UnknownLabelsAndMasksDoNotCount) {
  MemberOutput output = zeros(2, 2);
  torch::Tensor mask = torch::full({2, 2, 2}, -1, torch::kInt64);
  const Loss only_class = multi_task_loss(output, batch_of({1, -1}, mask), plain());
  EXPECT_EQ(only_class.mask_loss, 0);
  only_class.total.backward();
  EXPECT_EQ(output.class_logits.grad()[1].abs().sum().item<double>(), 0);
  EXPECT_GT(output.class_logits.grad()[0].abs().sum().item<double>(), 0);

  output = zeros(2, 2);
  mask[0] = 1;
  const Loss only_mask = multi_task_loss(output, batch_of({-1, -1}, mask), plain());
  EXPECT_EQ(only_mask.class_loss, 0);
  only_mask.total.backward();
  EXPECT_EQ(output.map_logits.grad()[1].abs().sum().item<double>(), 0);
  EXPECT_GT(output.map_logits.grad()[0].abs().sum().item<double>(), 0);
}

TEST(MultiTaskLoss, AMapWithoutMaskLearnsFromItsClassByHand) {
  MemberOutput output = zeros(2, 2);
  torch::Tensor map = torch::zeros({2, 2, 2, 2});
  map[0][1][0][0] = std::log(3.0);  // the quarter with most tumour: odds 3
  output.map_logits = map;
  const Batch batch = batch_of({1, 0}, torch::full({2, 2, 2}, -1, torch::kInt64));
  LossOptions options = plain();
  EXPECT_EQ(multi_task_loss(output, batch, options).mask_loss, 0);
  options.bag_weight = 1;
  EXPECT_NEAR(multi_task_loss(output, batch, options).mask_loss, (-std::log(0.75) - std::log(0.5)) / 2, 1e-6);
  const Batch unknown_class = batch_of({-1, -1}, torch::full({2, 2, 2}, -1, torch::kInt64));
  EXPECT_EQ(multi_task_loss(output, unknown_class, options).mask_loss, 0);
}

TEST(MultiTaskLoss, IsZeroWhenNothingIsKnown) {
  const Loss loss = multi_task_loss(zeros(1, 2), batch_of({-1}, torch::full({1, 2, 2}, -1, torch::kInt64)), plain());
  EXPECT_EQ(loss.total.item<double>(), 0);
}

TEST(MultiTaskLoss, FallsWhenThePredictionIsRight) {
  MemberOutput right = zeros(1, 4), wrong = zeros(1, 4);
  right.class_logits = torch::tensor({{-4.0F, 4.0F}});
  wrong.class_logits = -right.class_logits;
  right.map_logits = torch::stack({torch::full({1, 4, 4}, -4.0F), torch::full({1, 4, 4}, 4.0F)}, 1);
  wrong.map_logits = -right.map_logits;
  const Batch batch = batch_of({1}, torch::ones({1, 4, 4}, torch::kInt64));
  EXPECT_LT(multi_task_loss(right, batch, plain()).total.item<double>(), 0.01);
  EXPECT_GT(multi_task_loss(wrong, batch, plain()).total.item<double>(), 8);
}

TEST(MultiTaskLoss, AMapOfAnotherSizeIsComparedAtTheMasks) {
  const Loss loss = multi_task_loss(zeros(1, 2), batch_of({1}, torch::ones({1, 8, 8}, torch::kInt64)), plain());
  EXPECT_NEAR(loss.mask_loss, std::log(2.0) + 1 - (2.0 * 32 + 1) / (32 + 64 + 1), 1e-5);
}

TEST(MultiTaskLoss, ANetworkWithoutMaskLossLeavesItsMapAlone) {
  LossOptions options = plain();
  options.mask_weight = 0;
  EXPECT_EQ(multi_task_loss(zeros(1, 2), batch_of({1}, torch::ones({1, 2, 2}, torch::kInt64)), options).mask_loss, 0);
}

// Probability 3/4 of tumour for both images, one of which is: gamma 2 leaves 1/16 and 9/16 of their cross entropies.
class FocalLoss : public ::testing::Test {
 protected:
  double loss(double gamma, double smoothing = 0, std::vector<double> balance = {}) const {
    MemberOutput output;
    output.class_logits = torch::tensor({{0.0, std::log(3.0)}, {0.0, std::log(3.0)}}, torch::kFloat32);
    output.map_logits = torch::zeros({2, 2, 1, 1});
    LossOptions options = plain();
    options.focal_gamma = gamma;
    options.label_smoothing = smoothing;
    options.class_balance = std::move(balance);
    return multi_task_loss(output, batch_of({1, 0}, torch::full({2, 1, 1}, -1, torch::kInt64)), options).class_loss;
  }
  double easy_ = -std::log(0.75) / 16, hard_ = -std::log(0.25) * 9 / 16;
};

TEST_F(FocalLoss, ByHand) { EXPECT_NEAR(loss(2), (easy_ + hard_) / 2, 1e-6); }

TEST_F(FocalLoss, WeighsClassesByHand) { EXPECT_NEAR(loss(2, 0, {1.0, 3.0}), (3 * easy_ + hard_) / 4, 1e-6); }

TEST_F(FocalLoss, WithGammaNearZeroIsTheCrossEntropy) {
  EXPECT_NEAR(loss(1e-9), loss(0), 1e-6);
  EXPECT_NEAR(loss(1e-9, 0.1), loss(0, 0.1), 1e-6);
}

TEST_F(FocalLoss, LearnsFromKnownLabelsOnly) {
  MemberOutput output = zeros(2, 1);
  LossOptions options = plain();
  options.focal_gamma = 2;
  multi_task_loss(output, batch_of({1, -1}, torch::full({2, 1, 1}, -1, torch::kInt64)), options).total.backward();
  EXPECT_EQ(output.class_logits.grad()[1].abs().sum().item<double>(), 0);
  EXPECT_GT(output.class_logits.grad()[0].abs().sum().item<double>(), 0);
}

}  // namespace
}  // namespace clmnet::nets
