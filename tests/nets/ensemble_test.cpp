#include "nets/ensemble.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

constexpr std::int64_t kPatch = 96;

/// An ensemble of small networks with random weights; the same for a seed.
Ensemble random_ensemble(const std::vector<std::string>& networks, const EnsembleOptions& options) {
  torch::manual_seed(11);
  ModelConfig config;
  config.patch_size_px = kPatch;
  std::vector<std::shared_ptr<Member>> members;
  for (const auto& network : networks) {
    MemberConfig member;
    member.options.network = network;
    member.options.width = 0.125;
    member.class_weight = member.map_weight = 0.5;
    members.push_back(make_member(member.options));
    config.members.push_back(member);
  }
  return Ensemble(config, members, torch::kCPU, options);
}

torch::Tensor random_tiles() {
  torch::manual_seed(12);
  return torch::randint(0, 256, {2, kPatch, kPatch, 3}, torch::kUInt8);
}

TEST(Ensemble, PreparedNetworksSayWhatPlainOnesSay) {
  const std::vector<std::string> networks = {"vgg16", "deeplabv3", "unet", "resnet50"};
  const torch::Tensor rgb = random_tiles();
  const Prediction plain = random_ensemble(networks, {.prepare = false}).predict(rgb, 2);
  const Prediction fast = random_ensemble(networks, {}).predict(rgb, 2);
  EXPECT_LT((plain.probability - fast.probability).abs().max().item<double>(), 1e-3);
  EXPECT_LT((plain.map - fast.map).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(torch::allclose(plain.features, fast.features, 1e-3, 1e-3));
  EXPECT_FALSE(fast.activation.defined());
}

TEST(Ensemble, FlippedAndTurnedTilesAreTheSameToItWhenAsked) {
  const torch::Tensor rgb = random_tiles(), turned = torch::rot90(rgb, 1, {1, 2}).flip({2}).contiguous();
  Ensemble both_ways = random_ensemble({"vgg16", "unet"}, {.flips_and_turns = true});
  const Prediction a = both_ways.predict(rgb, 2), b = both_ways.predict(turned, 2);
  EXPECT_LT((a.probability - b.probability).abs().max().item<double>(), 1e-5);
  EXPECT_LT((torch::rot90(a.map, 1, {1, 2}).flip({2}) - b.map).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(torch::allclose(a.features, b.features, 1e-3, 1e-4));
  Ensemble once = random_ensemble({"vgg16", "unet"}, {});
  EXPECT_GT((once.predict(rgb, 2).probability - once.predict(turned, 2).probability).abs().max().item<double>(), 1e-5);
}

TEST(Ensemble, TheMeanOverSymmetriesIsOfLogits) {
  const torch::Tensor rgb = random_tiles();
  Ensemble once = random_ensemble({"vgg16"}, {.prepare = false});
  torch::Tensor log_odds = torch::zeros({2});
  for (int view = 0; view < 8; ++view) {
    const torch::Tensor seen = torch::rot90(view < 4 ? rgb : rgb.flip({2}), view % 4, {1, 2}).contiguous();
    const torch::Tensor p = once.predict(seen, 2).probability.log();
    log_odds += (p.select(1, 1) - p.select(1, 0)) / 8;
  }
  const torch::Tensor mean = random_ensemble({"vgg16"}, {.flips_and_turns = true}).predict(rgb, 2).probability;
  EXPECT_TRUE(torch::allclose(torch::sigmoid(log_odds), mean.select(1, 1), 1e-3, 1e-4));
}

TEST(Ensemble, TheActivationsPeakIsTheTilesProbability) {
  Ensemble shows = random_ensemble({"vgg16", "unet"}, {.class_activation = true});
  const Prediction said = shows.predict(random_tiles(), 2);
  EXPECT_EQ(said.activation.sizes(), (std::vector<std::int64_t>{2, 2, kPatch / 2, kPatch / 2}));
  const torch::Tensor peak = said.activation.amax({2, 3}), tumour = 1 - said.member_probability.select(2, 0);
  EXPECT_TRUE(torch::all(peak.le(tumour + 1e-6)).item<bool>());
  EXPECT_GT(peak.max().item<double>(), 0);
}

TEST(Ensemble, RefusesANumberOfNetworksThatIsNotItsConfigurations) {
  ModelConfig config;
  config.members.resize(2);
  EXPECT_THROW(Ensemble(config, {}, torch::kCPU), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::nets
