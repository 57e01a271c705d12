#include "nets/training/grouped_step.h"

#include <vector>

namespace clmnet::nets {
namespace {

using State = torch::optim::AdamWParamState;

State& state_of(torch::optim::AdamW& optimizer, const torch::Tensor& parameter) {
  auto& state = optimizer.state()[parameter.unsafeGetTensorImpl()];
  if (!state) {
    auto fresh = std::make_unique<State>();
    fresh->step(0);
    fresh->exp_avg(torch::zeros_like(parameter, at::MemoryFormat::Preserve));
    fresh->exp_avg_sq(torch::zeros_like(parameter, at::MemoryFormat::Preserve));
    state = std::move(fresh);
  }
  return static_cast<State&>(*state);
}

void clip_norm(const std::vector<torch::Tensor>& gradients, double clip) {
  const torch::Tensor norm = torch::stack(at::_foreach_norm(gradients)).norm();
  at::_foreach_mul_(gradients, (clip / (norm + 1e-6)).clamp_max(1.0));
}

}  // namespace

void step_grouped(torch::optim::AdamW& optimizer, double clip) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parameters, gradients, averages, squares, steps;
  torch::Tensor count;
  auto& group = optimizer.param_groups().at(0);
  for (const torch::Tensor& parameter : group.params()) {
    if (!parameter.grad().defined()) continue;
    State& state = state_of(optimizer, parameter);
    state.step(state.step() + 1);
    if (!count.defined()) count = torch::full({}, static_cast<double>(state.step()), parameter.options().dtype(torch::kFloat32));
    parameters.push_back(parameter);
    gradients.push_back(parameter.grad());
    averages.push_back(state.exp_avg());
    squares.push_back(state.exp_avg_sq());
    steps.push_back(count);
  }
  if (parameters.empty()) return;
  clip_norm(gradients, clip);
  const auto& options = static_cast<const torch::optim::AdamWOptions&>(group.options());
  at::_fused_adamw_(parameters, gradients, averages, squares, {}, steps, options.lr(), std::get<0>(options.betas()),
                    std::get<1>(options.betas()), options.weight_decay(), options.eps(), /*amsgrad=*/false, /*maximize=*/false);
}

}  // namespace clmnet::nets
