#include "nets/widen.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace clmnet::nets {
namespace {

/// to / from in lowest terms: every `from` channels become `to`.
struct Growth {
  std::int64_t from = 1, to = 1;
};

/// Of the first convolution's channels; 1 / 1 when the weights' are no fewer than the network's.
Growth growth_of(const NamedTensors& wide, const NamedTensors& weights) {
  const auto first_conv = [](const NamedTensors& tensors) {
    return std::find_if(tensors.begin(), tensors.end(), [](const auto& entry) { return entry.second.dim() == 4; });
  };
  const auto have = first_conv(weights);
  const auto want = first_conv(wide);
  if (have == weights.end() || want == wide.end() || have->first != want->first) return {};
  const std::int64_t from = have->second.size(0), to = want->second.size(0);
  if (from <= 0 || to <= from) return {};
  const std::int64_t common = std::gcd(from, to);
  return {from / common, to / common};
}

/// Whole groups of `growth.from` channels, so that layers side by side grow as one layer of all their channels does.
bool grows(std::int64_t narrow, std::int64_t wide, const Growth& growth) {
  return narrow % growth.from == 0 && narrow / growth.from * growth.to == wide;
}

/// Names of the weights whose first dimension is the input's; of all others it is the second.
std::unordered_set<std::string> transposed_weights(const torch::nn::Module& module) {
  std::unordered_set<std::string> names;
  for (const auto& part : module.named_modules()) {
    if (part.value()->as<torch::nn::ConvTranspose2d>()) names.insert(part.key() + ".weight");
  }
  return names;
}

/// The narrow layer's channel of each of the wide layer's.
torch::Tensor sources(std::int64_t narrow, std::int64_t wide) {
  return torch::arange(wide, torch::kInt64).mul(narrow).floor_divide(wide);
}

/// Each input channel as often as `source` names it, weighed so that its copies' sum is the channel's own weight.
torch::Tensor share_inputs(const torch::Tensor& weight, std::int64_t dim, const torch::Tensor& source) {
  std::vector<std::int64_t> along(static_cast<std::size_t>(weight.dim()), 1);
  along[static_cast<std::size_t>(dim)] = -1;
  const torch::Tensor copies = torch::bincount(source).index_select(0, source).to(torch::kFloat32).view(along);
  const double rms = std::sqrt(weight.square().mean().item<double>());
  const torch::Tensor shares = weight.index_select(dim, source) / copies;
  const torch::Tensor apart = torch::randn_like(shares) * rms / copies.sqrt();
  const torch::Tensor mean = torch::zeros_like(weight).index_add_(dim, source, apart).index_select(dim, source) / copies;
  return shares + apart - mean;
}

torch::Tensor widen(const torch::Tensor& narrow, const torch::Tensor& wide, std::int64_t input_dim) {
  if (!narrow.is_floating_point()) return narrow.clone();
  torch::Tensor out = narrow.to(torch::kFloat32);
  for (std::int64_t dim = 0; dim < std::min<std::int64_t>(2, out.dim()); ++dim) {
    if (wide.size(dim) == narrow.size(dim)) continue;
    const torch::Tensor source = sources(narrow.size(dim), wide.size(dim));
    out = dim == input_dim && out.dim() > 1 ? share_inputs(out, dim, source) : out.index_select(dim, source);
  }
  return out;
}

}  // namespace

std::optional<NamedTensors> widened(const Member& network, const MemberOptions& wide, const NamedTensors& weights) {
  const torch::NoGradGuard no_grad;
  const NamedTensors want = state_dict(network);
  const Growth growth = growth_of(want, weights);
  if (growth.to == growth.from) return std::nullopt;

  MemberOptions narrow = wide;
  narrow.width = wide.width * static_cast<double>(growth.from) / static_cast<double>(growth.to);
  const NamedTensors expected = state_dict(*make_member(narrow));
  const std::unordered_map<std::string, torch::Tensor> given(weights.begin(), weights.end());
  if (expected.size() != want.size() || expected.size() != given.size()) return std::nullopt;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [name, tensor] = expected[i];
    const auto found = given.find(name);
    if (want[i].first != name || found == given.end() || found->second.sizes() != tensor.sizes()) return std::nullopt;
    for (std::int64_t dim = 0; dim < tensor.dim(); ++dim) {
      const std::int64_t from = tensor.size(dim), to = want[i].second.size(dim);
      if (from != to && (dim > 1 || !grows(from, to, growth))) return std::nullopt;
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
