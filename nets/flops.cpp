#include "nets/flops.h"

#include <memory>
#include <string_view>

#include <ATen/record_function.h>

#include "nets/torch.h"

namespace clmnet::nets {
namespace {

thread_local std::int64_t flops_seen = 0;

/// What each element of a convolution's output costs; inputs are known before the call, the output after it.
struct PendingConvolution : at::ObserverContext {
  std::int64_t flops_per_output = 0;
};

/// A weight is [out,in/groups,kh,kw]: an output takes all of it but the first dimension. Transposed it is [in,out/groups,kh,kw],
/// and an input is spread over all of it but the first dimension.
std::unique_ptr<at::ObserverContext> before_call(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  const auto inputs = call.inputs();
  if (name == "aten::convolution") {
    const torch::Tensor weight = inputs[1].toTensor();
    const std::int64_t each = 2 * (weight.numel() / weight.size(0));
    const bool transposed = inputs[6].toBool();
    if (!transposed) {
      auto pending = std::make_unique<PendingConvolution>();
      pending->flops_per_output = each;
      return pending;
    }
    flops_seen += each * inputs[0].toTensor().numel();
  } else if (name == "aten::addmm" || name == "aten::mm") {
    const std::size_t first = name == "aten::mm" ? 0 : 1;
    const torch::Tensor a = inputs[first].toTensor(), b = inputs[first + 1].toTensor();
    flops_seen += 2 * a.size(0) * a.size(1) * b.size(1);
  }
  return nullptr;
}

void after_call(const at::RecordFunction& call, at::ObserverContext* context) {
  if (const auto* pending = dynamic_cast<PendingConvolution*>(context)) {
    flops_seen += pending->flops_per_output * call.outputs()[0].toTensor().numel();
  }
}

}  // namespace

std::int64_t count_flops(const std::function<void()>& run) {
  flops_seen = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(before_call, after_call)
                                                     .needsInputs(true)
                                                     .needsOutputs(true)
                                                     .scopes({at::RecordScope::FUNCTION}));
  try {
    run();
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);
  return flops_seen;
}

}  // namespace clmnet::nets
