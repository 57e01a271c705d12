#include "nets/class_activation.h"

namespace clmnet::nets {

torch::Tensor grad_cam_plus_plus(Member& member, const torch::Tensor& activation) {
  const c10::InferenceMode normal(false);  // gradients are wanted, also for a caller without them
  const torch::AutoGradMode with_gradients(true);
  const torch::Tensor a = activation.clone().requires_grad_(true);
  const torch::Tensor logits = member.classify(a);
  const torch::Tensor log_odds = torch::logsumexp(logits.narrow(1, 1, logits.size(1) - 1), 1) - logits.select(1, 0);
  constexpr double kScale = 1024;  // of small gradients in half precision, which would lose digits; a power of two changes no others
  const torch::Tensor g = torch::autograd::grad({log_odds.sum() * kScale}, {a})[0].to(torch::kFloat32) / kScale;

  const torch::NoGradGuard no_grad;
  const torch::Tensor values = a.detach().to(torch::kFloat32);
  const torch::Tensor below = 2 * g.square() + values.sum({2, 3}, /*keepdim=*/true) * g.pow(3);
  const torch::Tensor alpha = torch::where(below.ne(0), g.square() / below, torch::zeros_like(below));
  const torch::Tensor weight = (alpha * torch::relu(g)).sum({2, 3}, /*keepdim=*/true);
  const torch::Tensor map = torch::relu((weight * values).sum(1));
  const torch::Tensor most = map.amax({1, 2}, /*keepdim=*/true);
  return torch::where(most.gt(0), map / most, torch::zeros_like(map));
}

}  // namespace clmnet::nets
