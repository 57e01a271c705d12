// Whole small trainings on images drawn here.
#include "nets/training/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "nets/checkpoint/safetensors.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

constexpr std::int64_t kImageSide = 32;

/// Red or blue images with some noise; the label is the colour.
TrainingData colours(std::size_t images, bool all_alike) {
  TrainingData data;
  for (std::size_t i = 0; i < images; ++i) {
    ManifestRow row;
    row.image = std::to_string(i);
    row.patient = std::to_string(i);
    row.label = all_alike ? 1 : static_cast<int>(i % 2);
    data.rows.push_back(row);
    (i < images * 3 / 4 ? data.split.train : data.split.validation).push_back(i);
  }
  data.load = [all_alike](const ManifestRow& row) {
    LabelledImage image;
    image.label = row.label;
    torch::Generator seeded = at::make_generator<at::CPUGeneratorImpl>(all_alike ? 0 : std::stoul(row.image.string()));
    image.rgb = torch::randint(0, 90, {kImageSide, kImageSide, 3}, seeded, torch::kUInt8);
    image.rgb.select(2, row.label == 1 ? 0 : 2).add_(120);
    return image;
  };
  return data;
}

class Trainer : public ::testing::Test {
 protected:
  Trainer() {
    plan_.member.network = "vgg16";
    plan_.member.width = 0.125;
    plan_.member.feature_size = 16;
    plan_.mask_weight = 0;
    plan_.epochs = 2;
    config_.patch_size_px = kImageSide;
    options_.batch = 8;
    options_.augment = {};
    options_.augment.output_px = kImageSide;
    options_.augment.flip_rotate = false;
    options_.augment.scale_min = options_.augment.scale_max = 1;
    options_.augment.stain_sigma = options_.augment.stain_shift = options_.augment.colour_gain = 0;
    options_.augment.blur_px = options_.augment.noise = 0;
  }

  std::vector<EpochResult> train(const TrainingData& data, const std::string& name) {
    std::filesystem::create_directories(folder_ / name / "training");
    TrainingHooks hooks;
    hooks.note = [&](const std::string& text) { notes_.push_back(text); };
    return train_member(plan_, options_, config_, data, folder_ / name, false, torch::kCPU, hooks);
  }
  /// The convolutions' weights that a training wrote, side by side.
  torch::Tensor weights(const std::string& name) {
    std::vector<torch::Tensor> all;
    for (const auto& [key, tensor] : load_safetensors(folder_ / name / "vgg16.safetensors").tensors) {
      if (tensor.dim() == 4) all.push_back(tensor.flatten().to(torch::kFloat32));
    }
    return torch::cat(all);
  }

  test::TemporaryFolder folder_;
  MemberPlan plan_;
  TrainingOptions options_;
  ModelConfig config_;
  std::vector<std::string> notes_;
};

TEST_F(Trainer, EqualSeedsGiveEqualWeights) {
  const TrainingData data = colours(24, false);
  train(data, "one");
  train(data, "two");
  EXPECT_TRUE(weights("one").equal(weights("two")));
  options_.seed = 2;
  train(data, "three");
  EXPECT_FALSE(weights("one").equal(weights("three")));
}

// 12 images that are all alike: two batches of 6 taken together are one batch of 12, two steps are not.
TEST_F(Trainer, TwoBatchesTogetherAreALargerOne) {
  const TrainingData data = colours(16, true);
  plan_.epochs = 1;
  plan_.member.squeeze_excite = false;
  options_.batch = 12;
  train(data, "large");
  options_.batch = 6;
  options_.accumulate = 2;
  train(data, "together");
  options_.accumulate = 1;
  train(data, "steps");
  const auto distance = [&](const std::string& name) { return (weights(name) - weights("large")).abs().mean().item<double>(); };
  EXPECT_LT(distance("together"), 0.1 * distance("steps"));
}

TEST_F(Trainer, KeepsTheLastEpochWhenAsked) {
  const TrainingData data = colours(24, false);
  plan_.epochs = 8;
  plan_.learning_rate = 0.3;  // far too much: it does not get better for long
  options_.patience = 1;      // the epoch it stops after is not the best
  const auto epochs = train(data, "best");
  ASSERT_FALSE(epochs.back().best) << "the case is none";
  options_.keep_last = true;
  train(data, "last");
  const auto epoch_of = [&](const std::string& name) {
    return load_safetensors(folder_ / name / "vgg16.safetensors").metadata.at("epoch");
  };
  EXPECT_EQ(epoch_of("best"), std::to_string(epochs.size() - 1));
  EXPECT_EQ(epoch_of("last"), std::to_string(epochs.size()));
  EXPECT_FALSE(weights("best").equal(weights("last")));
}

TEST_F(Trainer, StopsWhenPatienceIsOut) {
  const TrainingData data = colours(24, false);
  plan_.epochs = 8;
  plan_.learning_rate = 0.3;  // far too much: it does not get better for long
  const auto all = train(data, "all");
  std::size_t expected = all.size();
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (!all[i].best) {
      expected = i + 1;
      break;
    }
  }
  ASSERT_LT(expected, all.size()) << "the case is none";
  options_.patience = 1;
  const auto stopped = train(data, "stopped");
  ASSERT_EQ(stopped.size(), expected);
  for (std::size_t i = 0; i < expected; ++i) EXPECT_EQ(stopped[i].validation_loss, all[i].validation_loss);
  EXPECT_NE(notes_.back().find("stopped after epoch"), std::string::npos);
}

TEST_F(Trainer, RareClassesCountMore) {
  TrainingData data = colours(24, false);
  std::erase_if(data.split.train, [&](std::size_t row) { return data.rows[row].label == 1 && row > 3; });
  plan_.epochs = 1;
  const double plain = train(data, "plain").front().class_loss;
  options_.class_balance = true;
  EXPECT_NE(train(data, "balanced").front().class_loss, plain);
}

TEST_F(Trainer, RefusesToGoOnWithAnotherLoss) {
  const TrainingData data = colours(24, false);
  train(data, "run");
  options_.focal_gamma = 2;
  EXPECT_THROW(train_member(plan_, options_, config_, data, folder_ / "run", true, torch::kCPU, {}), InputError);
}

TEST_F(Trainer, RefusesASingleImage) {
  TrainingData data = colours(24, false);
  data.split.train.resize(1);
  EXPECT_NE(test::message_of<InputError>([&] { train(data, "run"); }).find("one image"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::nets
