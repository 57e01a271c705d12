#include "nets/training/calibration.h"

#include <gtest/gtest.h>

#include "nets/training/fusion.h"

namespace clmnet::nets {
namespace {

// Two bins. Up to 1/2: nothing. Above: 0.6 right, 0.8 right, 0.9 wrong, 0.7 wrong; mean 0.75, accuracy 0.5.
TEST(CalibrationError, ByHandInOneBin) {
  const torch::Tensor p = torch::tensor({{0.6, 0.4}, {0.2, 0.8}, {0.9, 0.1}, {0.3, 0.7}});
  const torch::Tensor label = torch::tensor({0, 1, 1, 0}, torch::kInt64);
  EXPECT_NEAR(expected_calibration_error(p, label, 2), 0.25, 1e-6);
}

// Ten bins: two images share one, 0.85 right and 0.88 wrong: |1.73 - 1|; the others are alone: |0.55 - 1| and |0.72 - 0|; of four.
TEST(CalibrationError, ByHandInSeveralBins) {
  const torch::Tensor p = torch::tensor({{0.55, 0.45}, {0.15, 0.85}, {0.88, 0.12}, {0.28, 0.72}});
  const torch::Tensor label = torch::tensor({0, 1, 1, 0}, torch::kInt64);
  EXPECT_NEAR(expected_calibration_error(p, label, 10), (0.73 + 0.45 + 0.72) / 4, 1e-6);
}

TEST(CalibrationError, CertainAndRightIsPerfectCertainAndWrongTheWorst) {
  const torch::Tensor p = torch::tensor({{1.0, 0.0}, {0.0, 1.0}});
  EXPECT_EQ(expected_calibration_error(p, torch::tensor({0, 1}, torch::kInt64)), 0);
  EXPECT_EQ(expected_calibration_error(p, torch::tensor({1, 0}, torch::kInt64)), 1);
}

TEST(CalibrationError, LeavesUnknownLabelsOut) {
  const torch::Tensor p = torch::tensor({{1.0, 0.0}, {0.0, 1.0}});
  EXPECT_EQ(expected_calibration_error(p, torch::tensor({0, -1}, torch::kInt64)), 0);
  EXPECT_THROW(expected_calibration_error(p, torch::tensor({-1, -1}, torch::kInt64)), std::invalid_argument);
}

TEST(CalibrationError, RefusesOtherSizes) {
  EXPECT_THROW(expected_calibration_error(torch::rand({3, 2}), torch::zeros({2}, torch::kInt64)), std::invalid_argument);
  EXPECT_THROW(expected_calibration_error(torch::rand({3}), torch::zeros({3}, torch::kInt64)), std::invalid_argument);
}

// Positives 0.9 0.8 0.6 0.2, negatives 0.7 0.5 0.1.
class Sensitivity : public ::testing::Test {
 protected:
  torch::Tensor p_ = torch::tensor({0.9, 0.8, 0.6, 0.2, 0.7, 0.5, 0.1}, torch::kFloat64);
  torch::Tensor t_ = torch::tensor({1, 1, 1, 1, 0, 0, 0});
};

TEST_F(Sensitivity, IsTheHighestThresholdThatReachesIt) {
  EXPECT_NEAR(threshold_for_sensitivity(p_, t_, 0.75), 0.55, 1e-12);  // three of four: at 0.6, halfway to 0.5
  EXPECT_NEAR(threshold_for_sensitivity(p_, t_, 0.5), 0.75, 1e-12);   // 0.8, halfway to the negative at 0.7
  EXPECT_NEAR(threshold_for_sensitivity(p_, t_, 0.51), 0.55, 1e-12);
  EXPECT_NEAR(threshold_for_sensitivity(p_, t_, 1.0), 0.15, 1e-12);
  EXPECT_NEAR(threshold_for_sensitivity(p_, t_, 1e-9), 0.85, 1e-12);
}

TEST_F(Sensitivity, WithoutPositivesThereIsNone) {
  EXPECT_EQ(threshold_for_sensitivity(p_, torch::zeros_like(t_), 0.9), 0.5);
}

TEST_F(Sensitivity, RefusesWhatIsNoShare) {
  EXPECT_THROW(threshold_for_sensitivity(p_, t_, 0), std::invalid_argument);
  EXPECT_THROW(threshold_for_sensitivity(p_, t_, 1.1), std::invalid_argument);
  EXPECT_THROW(threshold_for_sensitivity(p_, t_, std::nan("")), std::invalid_argument);
}

// Logits three times too large: temperature scaling finds 3 and the error falls.
TEST(FitFusion, WritesCalibrationErrorsAndTheOperatingPoint) {
  torch::manual_seed(4);
  const torch::Tensor honest = torch::randn({4000}) * 1.5;
  const torch::Tensor label = torch::rand({4000}).lt(torch::sigmoid(honest)).to(torch::kInt64);
  ValidationOutputs outputs;
  outputs.class_logits = {torch::stack({torch::zeros_like(honest), 3 * honest}, 1)};
  outputs.map_logits = {torch::zeros({4000, 2, 1, 1})};
  outputs.label = label;
  outputs.mask = torch::full({4000, 1, 1}, -1, torch::kInt64);
  ModelConfig config;
  config.members.resize(1);
  config.sensitivity = 0.9;
  fit_fusion(outputs, config);
  EXPECT_NEAR(config.members[0].class_temperature, 3, 0.3);
  ASSERT_TRUE(config.members[0].ece && config.members[0].ece_before && config.ece);
  EXPECT_GT(*config.members[0].ece_before, 0.1);
  EXPECT_LT(*config.members[0].ece, 0.04);
  const torch::Tensor tumour = torch::sigmoid(3 * honest / config.members[0].class_temperature);
  const torch::Tensor found = tumour.ge(config.members[0].class_threshold).masked_select(label.gt(0));
  EXPECT_NEAR(found.to(torch::kFloat64).mean().item<double>(), 0.9, 0.001);
}

}  // namespace
}  // namespace clmnet::nets
