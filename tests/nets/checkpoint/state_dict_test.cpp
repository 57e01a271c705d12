#include "nets/checkpoint/state_dict.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

namespace nn = torch::nn;

/// conv.weight, bn.{weight,bias,running_mean,running_var,num_batches_tracked}, and a parameter of its own.
struct SmallImpl : nn::Module {
  SmallImpl() {
    // Children first: PyTorch's order is by kind (own parameters, own buffers, children), not by time.
    conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(3, 4, 3).bias(false)));
    bn = register_module("bn", nn::BatchNorm2d(4));
    count = register_buffer("count", torch::zeros({2}, torch::kInt64));
    scale = register_parameter("scale", torch::ones({1}));
  }
  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d bn{nullptr};
  torch::Tensor count, scale;
};
TORCH_MODULE(Small);

NamedTensors copy_of(const nn::Module& module) {
  NamedTensors copy;
  for (const auto& [name, tensor] : state_dict(module)) copy.emplace_back(name, tensor.detach().clone());
  return copy;
}

torch::Tensor& at(NamedTensors& tensors, const std::string& name) {
  for (auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  throw std::out_of_range(name);
}

void drop(NamedTensors& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& entry) { return entry.first == name; });
}

/// Loading must fail with a message that holds `part`, and change nothing.
void expect_refused(const NamedTensors& tensors, LoadMode mode, const std::string& part) {
  Small module;
  const NamedTensors before = copy_of(*module);
  try {
    load_state_dict(*module, tensors, mode, "small.safetensors");
    ADD_FAILURE() << "was taken";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("small.safetensors: "), 0u) << error.what();
  }
  const NamedTensors after = state_dict(*module);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(torch::equal(before[i].second, after[i].second));
}

TEST(StateDict, OrderIsOwnParametersOwnBuffersThenChildren) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_dict(*Small())) names.push_back(name);
  const std::vector<std::string> expected = {"scale",           "count",          "conv.weight",
                                             "bn.weight",       "bn.bias",        "bn.running_mean",
                                             "bn.running_var",  "bn.num_batches_tracked"};
  EXPECT_EQ(names, expected);
}

TEST(StateDict, StrictLoadTakesEveryTensor) {
  Small from, to;
  from->count.fill_(7);
  const LoadReport report = load_state_dict(*to, copy_of(*from), LoadMode::kStrict, "x");
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.matched.size(), 8u);
  const NamedTensors a = state_dict(*from), b = state_dict(*to);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
}

TEST(StateDict, HalfPrecisionBecomesTheModulesType) {
  Small from, to;
  NamedTensors tensors = copy_of(*from);
  at(tensors, "conv.weight") = at(tensors, "conv.weight").to(torch::kFloat16);
  load_state_dict(*to, tensors, LoadMode::kStrict, "x");
  EXPECT_EQ(to->conv->weight.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::allclose(to->conv->weight, from->conv->weight, 1e-3, 1e-3));
  EXPECT_TRUE(to->conv->weight.requires_grad());
}

TEST(StateDict, OldCheckpointsWithoutBatchCountersLoadStrictly) {
  Small from, to;
  to->bn->num_batches_tracked.fill_(5);
  NamedTensors tensors = copy_of(*from);
  drop(tensors, "bn.num_batches_tracked");
  EXPECT_TRUE(load_state_dict(*to, tensors, LoadMode::kStrict, "x").complete());
  EXPECT_EQ(to->bn->num_batches_tracked.item<std::int64_t>(), 0);
}

TEST(StateDict, LenientLoadReportsWhatItLeft) {
  Small from, to;
  NamedTensors tensors = copy_of(*from);
  drop(tensors, "scale");
  at(tensors, "bn.weight") = torch::ones({6});
  tensors.emplace_back("classifier.6.weight", torch::ones({2}));
  const LoadReport report = load_state_dict(*to, tensors, LoadMode::kLenient, "x");
  EXPECT_EQ(report.missing, std::vector<std::string>{"scale"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"classifier.6.weight"});
  ASSERT_EQ(report.mismatched.size(), 1u);
  EXPECT_EQ(report.mismatched[0].reason, "'bn.weight' is [6], the model wants [4]");
  EXPECT_EQ(report.matched.size(), 6u);
  EXPECT_TRUE(torch::equal(to->conv->weight, from->conv->weight));
  EXPECT_EQ(report.text(),
            "matched 6 of 8 tensors; missing: 'scale'; unexpected: 'classifier.6.weight'; "
            "'bn.weight' is [6], the model wants [4]");
}

TEST(StateDict, ReportListsOnlyTheFirstNames) {
  LoadReport report;
  report.missing = {"a", "b", "c"};
  EXPECT_EQ(report.text(2), "matched 0 of 3 tensors; missing: 'a', 'b' and 1 more");
}

TEST(StateDict, StrictRefusesAnotherShape) {
  NamedTensors tensors = copy_of(*Small());
  at(tensors, "conv.weight") = torch::ones({4, 3, 5, 5});
  expect_refused(tensors, LoadMode::kStrict, "'conv.weight' is [4,3,5,5], the model wants [4,3,3,3]");
}

TEST(StateDict, StrictRefusesAMissingTensor) {
  NamedTensors tensors = copy_of(*Small());
  drop(tensors, "bn.running_var");
  expect_refused(tensors, LoadMode::kStrict, "missing: 'bn.running_var'");
}

TEST(StateDict, StrictRefusesAnUnexpectedTensor) {
  NamedTensors tensors = copy_of(*Small());
  tensors.emplace_back("fc.weight", torch::ones({1}));
  expect_refused(tensors, LoadMode::kStrict, "unexpected: 'fc.weight'");
}

TEST(StateDict, StrictRefusesIntegersForWeights) {
  NamedTensors tensors = copy_of(*Small());
  at(tensors, "bn.bias") = torch::ones({4}, torch::kInt32);
  expect_refused(tensors, LoadMode::kStrict, "'bn.bias' is of type Int, the model wants Float");
}

TEST(StateDict, NotANumberIsRefusedInBothModes) {
  NamedTensors tensors = copy_of(*Small());
  at(tensors, "bn.bias")[2] = std::nan("");
  expect_refused(tensors, LoadMode::kStrict, "'bn.bias' holds 1 of 4 values that are NaN or infinite");
  expect_refused(tensors, LoadMode::kLenient, "'bn.bias' holds 1 of 4 values that are NaN or infinite");
}

TEST(StateDict, InfinityInHalfPrecisionIsRefused) {
  NamedTensors tensors = copy_of(*Small());
  at(tensors, "conv.weight") = torch::full({4, 3, 3, 3}, std::numeric_limits<float>::infinity(), torch::kFloat16);
  expect_refused(tensors, LoadMode::kStrict, "holds 108 of 108 values");
}

TEST(StateDict, ACheckpointOfAnotherNetworkIsRefusedEvenLeniently) {
  expect_refused({{"stem.weight", torch::ones({3})}}, LoadMode::kLenient, "expected at least one tensor that fits");
}

TEST(StateDict, AnEmptyCheckpointIsRefused) {
  expect_refused({}, LoadMode::kLenient, "holds no tensors");
}

TEST(StateDict, ANameTwiceIsACallersMistake) {
  Small module;
  NamedTensors tensors = copy_of(*module);
  tensors.emplace_back("scale", torch::ones({1}));
  EXPECT_THROW(load_state_dict(*module, tensors, LoadMode::kLenient, "x"), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::nets
