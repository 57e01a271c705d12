#include "nets/inception_resnet_v2.h"

#include <array>
#include <stdexcept>

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

struct Window {
  std::array<std::int64_t, 2> kernel;
  std::int64_t stride = 1;
  bool same = true;  // padded so that stride 1 keeps the size
};
const Window k1x1{{1, 1}}, k3x3{{3, 3}}, k5x5{{5, 5}}, k1x7{{1, 7}}, k7x1{{7, 1}}, k1x3{{1, 3}}, k3x1{{3, 1}};
const Window kValid3x3{{3, 3}, 1, false}, kHalving3x3{{3, 3}, 2, false};

/// Convolution, normalisation (epsilon 0.001, as TensorFlow's), ReLU.
class BasicConvImpl : public nn::Module {
 public:
  BasicConvImpl(std::int64_t in, std::int64_t out, const Window& window) {
    const auto [height, width] = window.kernel;
    nn::Conv2dOptions options(in, out, {height, width});
    options.stride(window.stride).bias(false);
    if (window.same) options.padding({height / 2, width / 2});
    conv_ = register_module("conv", Conv(options));
    bn_ = register_module("bn", nn::BatchNorm2d(nn::BatchNorm2dOptions(out).eps(1e-3)));
  }
  torch::Tensor forward(const torch::Tensor& x) { return conv_->run(x, {.norm = bn_.get(), .relu = true}); }

 private:
  Conv conv_{nullptr};
  nn::BatchNorm2d bn_{nullptr};
};
TORCH_MODULE(BasicConv);

struct Layer {
  std::int64_t out;
  Window window;
};

/// Branches side by side, their channels put together; a branch of one layer is not nested in timm's names.
class BranchesImpl : public nn::Module {
 public:
  BranchesImpl(std::int64_t in, double width, const std::vector<std::vector<Layer>>& branches) {
    for (std::size_t i = 0; i < branches.size(); ++i) {
      std::int64_t channels = in;
      nn::Sequential chain;
      for (const Layer& layer : branches[i]) {
        const std::int64_t out = scaled_channels(layer.out, width);
        chain->push_back(BasicConv(channels, out, layer.window));
        channels = out;
      }
      const std::string name = "branch" + std::to_string(i);
      if (branches[i].size() == 1) {
        register_module(name, chain->ptr<BasicConvImpl>(0));
      } else {
        register_module(name, chain);
      }
      chains_.push_back(chain);
      out_ += channels;
    }
  }
  std::int64_t out() const { return out_; }

 protected:
  std::vector<torch::Tensor> run(const torch::Tensor& x) {
    std::vector<torch::Tensor> parts;
    for (auto& chain : chains_) parts.push_back(chain->forward(x));
    return parts;
  }
  std::int64_t out_ = 0;

 private:
  std::vector<nn::Sequential> chains_;
};

/// mixed_5b: three branches and a pooled one.
class Mixed5bImpl : public BranchesImpl {
 public:
  Mixed5bImpl(std::int64_t in, double width)
      : BranchesImpl(in, width, {{{96, k1x1}}, {{48, k1x1}, {64, k5x5}}, {{64, k1x1}, {96, k3x3}, {96, k3x3}}}) {
    const std::int64_t pooled = scaled_channels(64, width);
    pool_ = nn::Sequential(nn::AvgPool2d(nn::AvgPool2dOptions(3).stride(1).padding(1).count_include_pad(false)),
                           BasicConv(in, pooled, k1x1));
    register_module("branch3", pool_);
    out_ += pooled;
  }
  torch::Tensor forward(const torch::Tensor& x) {
    std::vector<torch::Tensor> parts = run(x);
    parts.push_back(pool_->forward(x));
    return torch::cat(parts, 1);
  }

 private:
  nn::Sequential pool_;
};
TORCH_MODULE(Mixed5b);

/// mixed_6a and mixed_7a: strided branches and a strided maximum.
class ReductionImpl : public BranchesImpl {
 public:
  ReductionImpl(std::int64_t in, double width, const std::vector<std::vector<Layer>>& branches)
      : BranchesImpl(in, width, branches) {
    out_ += in;
  }
  torch::Tensor forward(const torch::Tensor& x) {
    std::vector<torch::Tensor> parts = run(x);
    parts.push_back(torch::max_pool2d(x, 3, 2));
    return torch::cat(parts, 1);
  }
};
TORCH_MODULE(Reduction);

/// block35, block17, block8: branches, a linear 1 x 1 layer back to the input's channels, a scaled sum.
class ResidualImpl : public BranchesImpl {
 public:
  ResidualImpl(std::int64_t in, double width, double scale, bool relu, const std::vector<std::vector<Layer>>& branches)
      : BranchesImpl(in, width, branches), scale_(scale), relu_(relu) {
    conv2d_ = register_module("conv2d", Conv(nn::Conv2dOptions(out_, in, 1)));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = conv2d_(torch::cat(run(x), 1)).mul_(scale_).add_(x);
    return relu_ ? torch::relu(y) : y;
  }

 private:
  double scale_;
  bool relu_;
  Conv conv2d_{nullptr};
};
TORCH_MODULE(Residual);

const std::vector<std::vector<Layer>> kBlock35 = {
    {{32, k1x1}}, {{32, k1x1}, {32, k3x3}}, {{32, k1x1}, {48, k3x3}, {64, k3x3}}};
const std::vector<std::vector<Layer>> kBlock17 = {{{192, k1x1}}, {{128, k1x1}, {160, k1x7}, {192, k7x1}}};
const std::vector<std::vector<Layer>> kBlock8 = {{{192, k1x1}}, {{192, k1x1}, {224, k1x3}, {256, k3x1}}};
const std::vector<std::vector<Layer>> kReduction6a = {
    {{384, kHalving3x3}}, {{256, k1x1}, {256, k3x3}, {384, kHalving3x3}}};
const std::vector<std::vector<Layer>> kReduction7a = {
    {{256, k1x1}, {384, kHalving3x3}},
    {{256, k1x1}, {288, kHalving3x3}},
    {{256, k1x1}, {288, k3x3}, {320, kHalving3x3}}};

}  // namespace

InceptionResNetV2Impl::InceptionResNetV2Impl(const InceptionResNetV2Options& options) {
  const double width = options.width;
  std::int64_t in = 3;
  const auto stem = [&](const std::string& name, std::int64_t channels, const Window& window) {
    const std::int64_t out = scaled_channels(channels, width);
    stem_->push_back(register_module(name, BasicConv(in, out, window)));
    in = out;
  };
  const auto reduce = [&](const std::string& name, nn::Sequential& stage, const auto& branches) {
    Reduction reduction(in, width, branches);
    stage->push_back(register_module(name, reduction));
    in = reduction->out();
  };
  const auto repeat = [&](const std::string& name, nn::Sequential& stage, int count, double scale,
                          const auto& branches) {
    nn::Sequential blocks;
    for (int i = 0; i < count; ++i) {
      Residual block(in, width, scale, true, branches);
      blocks->push_back(block);
      stage->push_back(block);  // a chain cannot hold a chain
    }
    register_module(name, blocks);
  };
  const auto gate = [&] {
    if (options.squeeze_excite) gates_->push_back(SqueezeExcite(in));
  };
  stem("conv2d_1a", 32, kHalving3x3);
  stem("conv2d_2a", 32, kValid3x3);
  stem("conv2d_2b", 64, k3x3);
  stem_->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2)));
  stem("conv2d_3b", 80, k1x1);
  stem("conv2d_4a", 192, kValid3x3);
  stem_->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2)));
  Mixed5b mixed_5b(in, width);
  stage_a_->push_back(register_module("mixed_5b", mixed_5b));
  in = mixed_5b->out();
  repeat("repeat", stage_a_, 10, 0.17, kBlock35);
  gate();
  reduce("mixed_6a", stage_b_, kReduction6a);
  repeat("repeat_1", stage_b_, 20, 0.10, kBlock17);
  gate();
  reduce("mixed_7a", stage_c_, kReduction7a);
  repeat("repeat_2", stage_c_, 9, 0.20, kBlock8);
  stage_c_->push_back(register_module("block8", Residual(in, width, 1.0, false, kBlock8)));
  gate();
  channels_ = scaled_channels(1536, width);
  head_->push_back(register_module("conv2d_7b", BasicConv(in, channels_, k1x1)));
  if (options.squeeze_excite) register_module("gates", gates_);
  if (options.classes > 0) classif_ = register_module("classif", nn::Linear(channels_, options.classes));
}

torch::Tensor InceptionResNetV2Impl::gate(std::size_t stage, const torch::Tensor& x) {
  return gates_->is_empty() ? x : gates_[stage]->as<SqueezeExciteImpl>()->forward(x);
}

torch::Tensor InceptionResNetV2Impl::features(const torch::Tensor& x) {
  torch::Tensor y = gate(0, stage_a_->forward(stem_->forward(x)));
  y = gate(1, stage_b_->forward(y));
  y = gate(2, stage_c_->forward(y));
  return head_->forward(y);
}

torch::Tensor InceptionResNetV2Impl::forward(const torch::Tensor& x) {
  if (!classif_) throw std::invalid_argument("InceptionResNetV2 without classes has no logits; use features()");
  return classif_(features(x).mean({2, 3}));
}

}  // namespace clmnet::nets
