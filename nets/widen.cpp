#include "nets/widen.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

namespace clmnet::nets {
namespace {

/// How often the network's first convolution has the channels of the weights' first; 1 when that is no whole number above 1.
std::int64_t width_factor(const NamedTensors& wide, const NamedTensors& weights) {
  const auto first_conv = [](const NamedTensors& tensors) {
    return std::find_if(tensors.begin(), tensors.end(), [](const auto& entry) { return entry.second.dim() == 4; });
  };
  const auto have = first_conv(weights);
  const auto want = first_conv(wide);
  if (have == weights.end() || want == wide.end() || have->first != want->first) return 1;
  const std::int64_t from = have->second.size(0), to = want->second.size(0);
  return from > 0 && to % from == 0 ? to / from : 1;
}

/// Names of the weights whose first dimension is the input's; of all others it is the second.
std::unordered_set<std::string> transposed_weights(const torch::nn::Module& module) {
  std::unordered_set<std::string> names;
  for (const auto& part : module.named_modules()) {
    if (part.value()->as<torch::nn::ConvTranspose2d>()) names.insert(part.key() + ".weight");
  }
  return names;
}

/// Each input channel `factor` times, weighed so that the copies' sum is the channel's own weight.
torch::Tensor share_inputs(const torch::Tensor& weight, std::int64_t dim, std::int64_t factor) {
  const double rms = std::sqrt(weight.square().mean().item<double>());
  const torch::Tensor shares = (weight / static_cast<double>(factor)).unsqueeze(dim + 1);
  std::vector<std::int64_t> size = shares.sizes().vec();
  size[static_cast<std::size_t>(dim) + 1] = factor;
  torch::Tensor apart = torch::randn(size, weight.options()) * (rms / std::sqrt(static_cast<double>(factor)));
  apart = apart - apart.mean(dim + 1, /*keepdim=*/true);
  return (shares + apart).flatten(dim, dim + 1);
}

torch::Tensor widen(const torch::Tensor& narrow, const torch::Tensor& wide, std::int64_t input_dim) {
  if (!narrow.is_floating_point()) return narrow.clone();
  torch::Tensor out = narrow.to(torch::kFloat32);
  for (std::int64_t dim = 0; dim < std::min<std::int64_t>(2, out.dim()); ++dim) {
    const std::int64_t factor = wide.size(dim) / narrow.size(dim);
    if (factor == 1) continue;
    out = dim == input_dim && out.dim() > 1 ? share_inputs(out, dim, factor) : out.repeat_interleave(factor, dim);
  }
  return out;
}

}  // namespace

std::optional<NamedTensors> widened(const Member& network, const MemberOptions& wide, const NamedTensors& weights) {
  const torch::NoGradGuard no_grad;
  const NamedTensors want = state_dict(network);
  const std::int64_t factor = width_factor(want, weights);
  if (factor == 1) return std::nullopt;

  MemberOptions narrow = wide;
  narrow.width = wide.width / static_cast<double>(factor);
  const NamedTensors expected = state_dict(*make_member(narrow));
  const std::unordered_map<std::string, torch::Tensor> given(weights.begin(), weights.end());
  if (expected.size() != want.size() || expected.size() != given.size()) return std::nullopt;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [name, tensor] = expected[i];
    const auto found = given.find(name);
    if (want[i].first != name || found == given.end() || found->second.sizes() != tensor.sizes()) return std::nullopt;
    for (std::int64_t dim = 0; dim < tensor.dim(); ++dim) {
      const std::int64_t times = want[i].second.size(dim) / tensor.size(dim);
      if (times * tensor.size(dim) != want[i].second.size(dim) || (times != 1 && (times != factor || dim > 1))) return std::nullopt;
    }
  }
  const auto transposed = transposed_weights(network);
  NamedTensors out;
  for (const auto& [name, tensor] : want) {
    out.emplace_back(name, widen(given.at(name), tensor, transposed.contains(name) ? 0 : 1));
  }
  return out;
}

}  // namespace clmnet::nets
