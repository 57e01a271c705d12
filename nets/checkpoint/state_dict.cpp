#include "nets/checkpoint/state_dict.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

void collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& out) {
  for (const auto& parameter : module.named_parameters(/*recurse=*/false)) {
    if (parameter.value().defined()) out.emplace_back(prefix + parameter.key(), parameter.value());
  }
  for (const auto& buffer : module.named_buffers(/*recurse=*/false)) {
    if (buffer.value().defined()) out.emplace_back(prefix + buffer.key(), buffer.value());
  }
  for (const auto& child : module.named_children()) collect(*child.value(), prefix + child.key() + ".", out);
}

bool is_batch_counter(std::string_view name) {
  constexpr std::string_view kSuffix = "num_batches_tracked";
  return name.ends_with(kSuffix) && (name.size() == kSuffix.size() || name[name.size() - kSuffix.size() - 1] == '.');
}

/// Why a tensor of the checkpoint cannot become that of the model; empty when it can.
std::string why_not(const std::string& name, const torch::Tensor& have, const torch::Tensor& want) {
  if (have.sizes() != want.sizes()) {
    return "'" + name + "' is " + shape_text(have.sizes()) + ", the model wants " + shape_text(want.sizes());
  }
  if (have.is_floating_point() != want.is_floating_point() || have.is_complex()) {
    return "'" + name + "' is of type " + std::string(torch::toString(have.scalar_type())) + ", the model wants " +
           std::string(torch::toString(want.scalar_type()));
  }
  return {};
}

std::string some(const std::vector<std::string>& names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < std::min(limit, names.size()); ++i) {
    if (i > 0) text += ", ";
    text.append("'").append(names[i]).append("'");
  }
  if (names.size() > limit) text += " and " + std::to_string(names.size() - limit) + " more";
  return text;
}

struct Assignment {
  torch::Tensor target, value;
};

/// The report, and in `plan` what would be copied.
LoadReport match(const NamedTensors& wanted, const NamedTensors& tensors, std::vector<Assignment>& plan) {
  std::unordered_map<std::string_view, const torch::Tensor*> given;
  for (const auto& [name, tensor] : tensors) {
    if (!given.emplace(name, &tensor).second) throw std::invalid_argument("state dict holds '" + name + "' twice");
  }
  LoadReport report;
  std::unordered_set<std::string_view> names;
  for (const auto& [name, target] : wanted) {
    names.insert(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      if (is_batch_counter(name)) {
        plan.push_back({target, torch::zeros_like(target)});
      } else {
        report.missing.push_back(name);
      }
      continue;
    }
    if (std::string reason = why_not(name, *found->second, target); !reason.empty()) {
      report.mismatched.push_back({name, std::move(reason)});
    } else {
      report.matched.push_back(name);
      plan.push_back({target, *found->second});
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (!names.contains(name)) report.unexpected.push_back(name);
  }
  return report;
}

}  // namespace

NamedTensors state_dict(const torch::nn::Module& module) {
  NamedTensors out;
  collect(module, "", out);
  return out;
}

std::string shape_text(torch::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(shape[i]);
  }
  text += ']';
  return text;
}

std::string LoadReport::text(std::size_t limit) const {
  std::string out = "matched " + std::to_string(matched.size()) + " of " +
                    std::to_string(matched.size() + missing.size() + mismatched.size()) + " tensors";
  if (!missing.empty()) out += "; missing: " + some(missing, limit);
  if (!unexpected.empty()) out += "; unexpected: " + some(unexpected, limit);
  for (std::size_t i = 0; i < std::min(limit, mismatched.size()); ++i) out += "; " + mismatched[i].reason;
  if (mismatched.size() > limit) out += " and " + std::to_string(mismatched.size() - limit) + " more of other shape";
  return out;
}

LoadReport load_state_dict(torch::nn::Module& module, const NamedTensors& tensors, LoadMode mode,
                           const std::string& source) {
  std::vector<Assignment> plan;
  LoadReport report = match(state_dict(module), tensors, plan);
  if (mode == LoadMode::kStrict && !report.complete()) {
    if (!report.mismatched.empty()) throw InputError(source + ": " + report.mismatched.front().reason);
    throw InputError(source + ": " + report.text() +
                     "; expected exactly the model's tensors; is it a checkpoint of another network?");
  }
  if (tensors.empty()) throw InputError(source + ": holds no tensors; expected a checkpoint");
  if (report.matched.empty()) {
    throw InputError(source + ": " + report.text() +
                     "; expected at least one tensor that fits; is it a checkpoint of another network?");
  }
  const std::unordered_set<std::string_view> taken(report.matched.begin(), report.matched.end());
  for (const auto& [name, tensor] : tensors) {
    if (!taken.contains(name) || !tensor.is_floating_point()) continue;
    const torch::Tensor bad = torch::logical_not(torch::isfinite(tensor));
    if (const auto count = bad.sum().item<std::int64_t>(); count > 0) {
      throw InputError(source + ": '" + name + "' holds " + std::to_string(count) + " of " +
                       std::to_string(tensor.numel()) + " values that are NaN or infinite; expected finite weights");
    }
  }
  const torch::NoGradGuard no_grad;
  for (auto& [target, value] : plan) target.copy_(value);
  return report;
}

}  // namespace clmnet::nets
