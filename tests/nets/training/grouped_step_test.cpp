#include "nets/training/grouped_step.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

struct Course {
  torch::nn::Sequential network;
  std::unique_ptr<torch::optim::AdamW> optimizer;
};

Course begin() {
  torch::manual_seed(5);
  Course course{torch::nn::Sequential(torch::nn::Linear(6, 9), torch::nn::ReLU(), torch::nn::Linear(9, 1)), nullptr};
  course.optimizer = std::make_unique<torch::optim::AdamW>(course.network->parameters(), torch::optim::AdamWOptions(0.02).weight_decay(0.1));
  return course;
}

void add_gradients(Course& course, int step) {
  torch::manual_seed(100 + step);
  course.optimizer->zero_grad();
  // The first steps' gradients are above the norm they are clipped to, the last below.
  (course.network->forward(torch::randn({16, 6})) * std::pow(10.0, 2 - step)).square().mean().backward();
}

double distance(Course& a, Course& b) {
  double most = 0;
  const auto x = a.network->parameters(), y = b.network->parameters();
  for (std::size_t i = 0; i < x.size(); ++i) most = std::max(most, (x[i] - y[i]).abs().max().item<double>());
  return most;
}

TEST(GroupedStep, IsLibTorchsClippingAndStep) {
  Course grouped = begin(), plain = begin();
  for (int step = 0; step < 6; ++step) {
    add_gradients(grouped, step);
    step_grouped(*grouped.optimizer, 0.5);
    add_gradients(plain, step);
    torch::nn::utils::clip_grad_norm_(plain.network->parameters(), 0.5);
    plain.optimizer->step();
    EXPECT_LT(distance(grouped, plain), 1e-5) << "step " << step;
  }
  Course fresh = begin();
  EXPECT_GT(distance(grouped, fresh), 0.02);
}

TEST(GroupedStep, GoesOnFromLibTorchsStateAndTheOtherWayRound) {
  Course mixed = begin(), plain = begin();
  for (int step = 0; step < 6; ++step) {
    add_gradients(mixed, step);
    if (step % 2 == 0) {
      step_grouped(*mixed.optimizer, 1e9);
    } else {
      mixed.optimizer->step();
    }
    add_gradients(plain, step);
    plain.optimizer->step();
  }
  EXPECT_LT(distance(mixed, plain), 1e-5);
}

TEST(GroupedStep, LeavesAParameterWithoutAGradientAsItIs) {
  Course course = begin();
  const auto parameters = course.network->parameters();
  const torch::Tensor before = parameters[0].detach().clone(), other = parameters[2].detach().clone();
  course.optimizer->zero_grad();
  parameters[2].sum().backward();
  step_grouped(*course.optimizer, 1);
  EXPECT_TRUE(parameters[0].equal(before));
  EXPECT_FALSE(parameters[2].equal(other));
}

}  // namespace
}  // namespace clmnet::nets
