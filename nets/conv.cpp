#include "nets/conv.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "nets/winograd/winograd.h"

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

using Attributes = torch::List<std::optional<at::Scalar>>;
using OptionalText = std::optional<std::string_view>;
using Options = nn::detail::ConvNdOptions<2>;

/// oneDNN's convolution with ReLU, as LibTorch's own compiler calls it; there is no C++ header for it.
torch::Tensor packed_conv(const torch::Tensor& x, const torch::Tensor& weight, const std::optional<torch::Tensor>& bias,
                          const Options& how, at::IntArrayRef padding, bool relu) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef,
                               at::IntArrayRef, at::IntArrayRef, std::int64_t, std::string_view, Attributes, OptionalText);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "").typed<Signature>();
  return op.call(x, weight, bias, padding, how.stride(), how.dilation(), how.groups(), relu ? "relu" : "none", Attributes(),
                 std::nullopt);
}

/// The same, with `add` added before the ReLU.
torch::Tensor packed_conv_add(const torch::Tensor& x, const torch::Tensor& add, const torch::Tensor& weight,
                              const std::optional<torch::Tensor>& bias, const Options& how, at::IntArrayRef padding,
                              bool relu) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                               at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, std::int64_t, std::string_view,
                               std::optional<at::Scalar>, OptionalText, Attributes, OptionalText);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "binary").typed<Signature>();
  return op.call(x, add, weight, bias, padding, how.stride(), how.dilation(), how.groups(), "add", at::Scalar(1.0),
                 relu ? OptionalText("relu") : std::nullopt, Attributes(), std::nullopt);
}

/// Padding of a layer whose mode is zeros and whose padding is a number; none of ours is "same" or "valid".
at::IntArrayRef padding_of(const Options& options) {
  return *std::get<torch::ExpandingArray<2>>(options.padding());
}

std::optional<torch::Tensor> optional(const torch::Tensor& tensor) {
  return tensor.defined() ? std::make_optional(tensor) : std::nullopt;
}

/// cuDNN's convolution with bias, sum and ReLU in one pass over its output. Nothing where it has no such kernel: then it says so by
/// an error before anything is run.
std::optional<torch::Tensor> fused_cudnn_conv(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                              const torch::Tensor& add, const Options& how, at::IntArrayRef padding) {
  try {
    if (add.defined()) {
      return at::cudnn_convolution_add_relu(x, weight, add, at::Scalar(1.0), bias, how.stride(), padding, how.dilation(), how.groups());
    }
    return at::cudnn_convolution_relu(x, weight, bias, how.stride(), padding, how.dilation(), how.groups());
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::pair<torch::Tensor, torch::Tensor> ConvImpl::folded(const nn::BatchNorm2dImpl* norm) const {
  torch::Tensor w = weight.to(torch::kFloat64), b = bias.defined() ? bias.to(torch::kFloat64) : torch::Tensor();
  if (norm != nullptr) {
    const torch::Tensor scale = norm->weight.to(torch::kFloat64) / torch::sqrt(norm->running_var.to(torch::kFloat64) + norm->options.eps());
    const torch::Tensor shift = norm->bias.to(torch::kFloat64) - norm->running_mean.to(torch::kFloat64) * scale;
    w = w * scale.view({-1, 1, 1, 1});
    b = b.defined() ? b * scale + shift : shift;
  }
  return {w, b};
}

void ConvImpl::fold(const torch::Tensor& x, const nn::BatchNorm2dImpl* norm) {
  auto [w, b] = folded(norm);
  folded_weight_ = w.to(weight.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
  if (!b.defined() && weight.is_cuda()) b = torch::zeros({options.out_channels()}, w.options());  // cuDNN's fused kernels want one
  if (b.defined()) folded_bias_ = b.to(weight.scalar_type());
  packed_ = weight.is_cpu() && weight.scalar_type() == torch::kFloat32 && at::hasMKLDNN();
  if (packed_) {
    folded_weight_ = at::mkldnn_reorder_conv2d_weight(folded_weight_.contiguous().to_mkldnn(), padding_of(options), options.stride(),
                                                      options.dilation(), options.groups(), x.sizes());
  }
}

torch::Tensor ConvImpl::run_plain(const torch::Tensor& x, const ConvTail& tail) {
  torch::Tensor y = nn::Conv2dImpl::forward(x);
  if (tail.norm != nullptr) y = tail.norm->forward(y);
  if (tail.add.defined()) y = y.add_(tail.add);
  return tail.relu ? torch::relu_(y) : y;
}

torch::Tensor ConvImpl::run(const torch::Tensor& x, const ConvTail& tail) {
  if (!prepared_ || is_training() || torch::GradMode::is_enabled()) return run_plain(x, tail);
  const bool float_on_cpu = weight.is_cpu() && weight.scalar_type() == torch::kFloat32;
  if (!float_on_cpu || tail.add.defined() || !WinogradConv::pays(options, x)) return run_folded(x, tail);
  if (!winograd_) {
    const auto [w, b] = folded(tail.norm);
    winograd_ = std::make_shared<const WinogradConv>(w, b, options);
  }
  return winograd_->forward(x, tail.relu);
}

torch::Tensor ConvImpl::run_folded(const torch::Tensor& x, const ConvTail& tail) {
  if (!folded_weight_.defined()) fold(x, tail.norm);
  const at::IntArrayRef padding = padding_of(options);
  const auto bias_or_none = optional(folded_bias_);
  // oneDNN cannot make out the layout of a sum of one row or column.
  const bool flat = tail.add.defined() && (tail.add.size(2) == 1 || tail.add.size(3) == 1);
  if (packed_ && tail.add.defined() && !flat) {
    return packed_conv_add(x, tail.add, folded_weight_, bias_or_none, options, padding, tail.relu);
  }
  if (packed_ && !tail.add.defined()) return packed_conv(x, folded_weight_, bias_or_none, options, padding, tail.relu);
  if (fuses_on_gpu_ && tail.relu && weight.is_cuda()) {
    if (auto y = fused_cudnn_conv(x, folded_weight_, folded_bias_, tail.add, options, padding)) return *y;
    fuses_on_gpu_ = false;
  }
  torch::Tensor y = packed_ ? packed_conv(x, folded_weight_, bias_or_none, options, padding, /*relu=*/false)
                            : torch::conv2d(x, folded_weight_, bias_or_none, options.stride(), padding, options.dilation(), options.groups());
  if (tail.add.defined()) y = y.add_(tail.add);
  return tail.relu ? torch::relu_(y) : y;
}

torch::Tensor run_chain(nn::SequentialImpl& chain, torch::Tensor x, std::size_t begin, std::size_t end) {
  end = std::min(end, chain.size());
  const auto layer = [&](std::size_t i) { return i < end ? chain.ptr(i) : nullptr; };
  for (std::size_t i = begin; i < end;) {
    auto* conv = chain.ptr(i)->as<ConvImpl>();
    if (conv == nullptr) {
      x = (chain.begin() + static_cast<std::ptrdiff_t>(i++))->forward(x);
      continue;
    }
    ConvTail tail;
    auto next = layer(++i);
    if (next && (tail.norm = next->as<nn::BatchNorm2dImpl>()) != nullptr) next = layer(++i);
    if (next && next->as<nn::ReLUImpl>() != nullptr) {
      tail.relu = true;
      ++i;
    }
    x = conv->run(x, tail);
  }
  return x;
}

void use_channels_last(nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
}

void prepare_for_inference(nn::Module& module) {
  module.eval();
  for (const auto& part : module.modules()) {
    if (auto* conv = part->as<ConvImpl>()) conv->prepare();
  }
}

}  // namespace clmnet::nets
