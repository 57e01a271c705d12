// The networks on a GPU beside the same networks on the CPU. Without a GPU every test here skips and says what is missing.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "nets/conv.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/device.h"
#include "nets/ensemble.h"
#include "nets/training/trainer.h"
#include "tests/base/temporary_folder.h"

namespace clmnet::nets {
namespace {

constexpr std::int64_t kPatch = 96;

double largest(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.cpu().to(torch::kFloat32) - b.cpu().to(torch::kFloat32)).abs().max().item<double>();
}

class Cuda : public ::testing::Test {
 protected:
  void SetUp() override {
    // Before anything else of LibTorch looks for a GPU: it looks once.
    if (cuda_state().devices == 0) GTEST_SKIP() << cuda_state().problem;
    device_ = select_device("cuda");
    // Otherwise float32 convolutions are done with ten bits of mantissa.
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
  }

  torch::Device device_ = torch::kCPU;
};

class CudaNetwork : public Cuda, public ::testing::WithParamInterface<const char*> {};

std::shared_ptr<Member> random_member(const std::string& network) {
  torch::manual_seed(11);
  MemberOptions options;
  options.network = network;
  options.width = 0.25;
  return make_member(options);
}

std::shared_ptr<Member> copy_of(Member& member, const std::string& network) {
  auto copy = random_member(network);
  load_state_dict(*copy, state_dict(member), LoadMode::kStrict, network);
  return copy;
}

TEST_P(CudaNetwork, SaysInFloat32WhatItSaysOnTheCpu) {
  const c10::InferenceMode inference;
  const auto on_cpu = random_member(GetParam());
  const auto plain = copy_of(*on_cpu, GetParam()), prepared = copy_of(*on_cpu, GetParam());
  on_cpu->eval();
  const torch::Tensor x = torch::randn({3, 3, kPatch, kPatch});
  const MemberOutput expected = on_cpu->predict(x);
  plain->eval();
  plain->to(device_);
  prepared->to(device_);
  prepare_for_inference(*prepared);
  for (const auto& member : {plain, prepared}) {
    const MemberOutput found = member->predict(x.to(device_));
    EXPECT_TRUE(found.class_logits.is_cuda());
    // Random weights give logits of many sizes: what counts is the difference beside the largest, or beside 1.
    const auto gap = [](const torch::Tensor& a, const torch::Tensor& b) { return largest(a, b) / std::max(1.0, a.abs().max().item<double>()); };
    EXPECT_LT(gap(expected.class_logits, found.class_logits), 1e-4);
    EXPECT_LT(gap(expected.map_logits, found.map_logits), 1e-4);
    EXPECT_LT(gap(expected.features, found.features), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaNetwork,
                         ::testing::Values("vgg16", "deeplabv3", "unet", "resnet50", "resnet152", "densenet201", "inception_resnet_v2"),
                         [](const auto& of) { return std::string(of.param); });

class CudaEnsemble : public Cuda {
 protected:
  /// The model that comes with clmnet, on noise and on flat colours.
  static torch::Tensor tiles() {
    torch::manual_seed(12);
    const torch::Tensor noise = torch::randint(0, 256, {4, 224, 224, 3}, torch::kUInt8);
    const torch::Tensor flat = torch::randint(0, 256, {4, 7, 7, 3}, torch::kUInt8).repeat_interleave(32, 1).repeat_interleave(32, 2);
    return torch::cat({noise, flat}).contiguous();
  }
  static Prediction say(torch::Device device, const EnsembleOptions& options, const torch::Tensor& rgb) {
    return Ensemble(std::string(CLMNET_SOURCE_DIR) + "/nets/zoo/clmnet-s", device, options).predict(rgb, 4);
  }
  static void expect_near(const Prediction& a, const Prediction& b, double most) {
    EXPECT_LT(largest(a.probability, b.probability), most);
    EXPECT_LT(largest(a.member_probability, b.member_probability), most);
    EXPECT_LT(largest(a.map, b.map), most);
    EXPECT_LT(largest(a.member_map, b.member_map), most);
    EXPECT_LT(largest(a.features, b.features) / std::max(1.0, a.features.abs().max().item<double>()), most);
    ASSERT_EQ(a.activation.defined(), b.activation.defined());
    if (a.activation.defined()) {
      EXPECT_LT((a.activation - b.activation).abs().mean().item<double>(), most);
    }
  }
};

TEST_F(CudaEnsemble, SaysInHalfPrecisionWhatItSaysOnTheCpu) {
  const torch::Tensor rgb = tiles();
  expect_near(say(torch::kCPU, {}, rgb), say(device_, {}, rgb), 2e-2);
}

TEST_F(CudaEnsemble, SaysTheSameOfFlippedAndTurnedTilesAndShowsWhere) {
  const torch::Tensor rgb = tiles();
  const EnsembleOptions options{.flips_and_turns = true, .class_activation = true};
  expect_near(say(torch::kCPU, options, rgb), say(device_, options, rgb), 2e-2);
}

TEST_F(CudaEnsemble, NetworksSideBySideSayTheSame) {
  const torch::Tensor rgb = tiles();
  const std::string folder = std::string(CLMNET_SOURCE_DIR) + "/nets/zoo/clmnet-s";
  Ensemble in_turn(folder, device_), beside(folder, device_, {.streams = true});
  const Prediction expected = in_turn.predict(rgb, 4);
  for (int i = 0; i < 20; ++i) expect_near(expected, beside.predict(rgb, 4), 1e-3);
}

/// Red or blue images with some noise; the label is the colour.
TrainingData colours(std::size_t images) {
  TrainingData data;
  for (std::size_t i = 0; i < images; ++i) {
    ManifestRow row;
    row.image = row.patient = std::to_string(i);
    row.label = static_cast<int>(i % 2);
    data.rows.push_back(row);
    (i < images * 3 / 4 ? data.split.train : data.split.validation).push_back(i);
  }
  data.load = [](const ManifestRow& row) {
    LabelledImage image;
    image.label = row.label;
    torch::Generator seeded = at::make_generator<at::CPUGeneratorImpl>(std::stoul(row.image.string()));
    image.rgb = torch::randint(0, 90, {kPatch, kPatch, 3}, seeded, torch::kUInt8);
    image.rgb.select(2, row.label == 1 ? 0 : 2).add_(120);
    image.mask = torch::full({kPatch, kPatch}, row.label, torch::kUInt8);
    return image;
  };
  return data;
}

TEST_F(Cuda, LearnsAsOnTheCpuAndGoesOnAfterAStop) {
  const TrainingData data = colours(48);
  const test::TemporaryFolder folder;
  TrainingOptions options;
  options.batch = 8;
  options.augment.output_px = kPatch;
  ModelConfig config;
  config.patch_size_px = kPatch;
  const auto train = [&](const std::string& network, torch::Device device, int epochs, bool mixed, const std::string& name, bool resume) {
    MemberPlan plan;
    plan.member.network = network;
    plan.member.width = 0.125;
    plan.epochs = epochs;
    options.mixed_precision = mixed;
    std::filesystem::create_directories(folder / name / "training");
    return train_member(plan, options, config, data, folder / name, resume, device, {});
  };
  for (const std::string network : {"vgg16", "deeplabv3", "unet"}) {
    SCOPED_TRACE(network);
    const auto on_cpu = train(network, torch::kCPU, 1, false, network + "-cpu", false);
    const auto plain = train(network, device_, 1, false, network + "-gpu", false);
    // The first epoch draws the same images; dropout alone differs.
    EXPECT_NEAR(plain[0].train_loss, on_cpu[0].train_loss, 0.1 * on_cpu[0].train_loss);
    const auto mixed = train(network, device_, 6, true, network + "-mixed", false);
    EXPECT_LT(mixed.back().train_loss, mixed.front().train_loss);
    const auto again = train(network, device_, 6, true, network + "-mixed", true);
    ASSERT_EQ(again.size(), mixed.size());
    EXPECT_EQ(again.back().validation_loss, mixed.back().validation_loss);  // finished: read back, not trained anew
  }
}

}  // namespace
}  // namespace clmnet::nets
