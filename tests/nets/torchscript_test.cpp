// Our networks as TorchScript programs in the form of WSInfer's zoo, and such programs as networks.
#include "nets/torchscript.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <torch/script.h>
#pragma GCC diagnostic pop

#include "nets/ensemble.h"
#include "nets/stain_layer.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

using nlohmann::json;

class TorchScript : public ::testing::Test {
 protected:
  void SetUp() override {
    torch::set_num_threads(1);  // small layers on a busy machine: threads would wait for each other
    torch::manual_seed(21);
    config_.patch_size_px = 96;
    config_.spacing_um_per_px = 0.5;
    for (const char* network : {"vgg16", "deeplabv3", "unet", "densenet201"}) {
      MemberConfig member;
      member.options.network = network;
      member.options.width = 0.125;
      member.class_weight = 0.3;
      member.class_temperature = 0.8;
      members_.push_back(make_member(member.options));
      config_.members.push_back(member);
    }
    export_torchscript(config_, members_, zoo());
  }
  std::filesystem::path zoo() const { return folder_ / "zoo"; }
  void change_config(const std::function<void(json&)>& change) {
    json document = json::parse(read_whole_file(zoo() / "config.json"));
    change(document);
    write_atomically(zoo() / "config.json", document.dump());
  }

  test::TemporaryFolder folder_;
  ModelConfig config_;
  std::vector<std::shared_ptr<Member>> members_;
};

TEST_F(TorchScript, TheProgramSaysWhatTheEnsembleSaysAtAnyBatch) {
  Ensemble ours(config_, members_, torch::kCPU), theirs(zoo(), torch::kCPU);
  for (const std::int64_t batch : {1, 3}) {
    const torch::Tensor rgb = torch::randint(0, 256, {batch, 96, 96, 3}, torch::kUInt8);
    EXPECT_LT((ours.predict(rgb, 2).probability - theirs.predict(rgb, 2).probability).abs().max().item<double>(), 1e-4);
  }
}

TEST_F(TorchScript, TheProgramBringsTilesToTheColoursThatTheNetworksSee) {
  config_.stain = StainTarget{"reinhard", {50, 30, -25, 16, 7.5, 7}, 0.5};
  export_torchscript(config_, members_, folder_ / "stained");
  Ensemble ours(config_, members_, torch::kCPU), theirs(folder_ / "stained", torch::kCPU);
  const torch::Tensor rgb = torch::randint(60, 200, {3, 96, 96, 3}, torch::kUInt8);
  const torch::Tensor changed = normalise_tiles(rgb.permute({0, 3, 1, 2}) / 255.0, *config_.stain).permute({0, 2, 3, 1});
  const torch::Tensor seen = (changed * 255).round().to(torch::kUInt8).contiguous();
  EXPECT_GT((seen.to(torch::kFloat32) - rgb.to(torch::kFloat32)).abs().mean().item<double>(), 5);
  EXPECT_LT((ours.predict(seen, 2).probability - theirs.predict(rgb, 2).probability).abs().max().item<double>(), 0.01);
}

TEST_F(TorchScript, AProgramHoldsNoTensorThatWouldStayBehindOnTheCpu) {
  config_.stain = StainTarget{"reinhard", {50, 30, -25, 16, 7.5, 7}, 0.5};
  export_torchscript(config_, members_, folder_ / "stained");
  torch::jit::Module program = torch::jit::load((folder_ / "stained" / "torchscript_model.pt").string());
  std::size_t nodes = 0;
  for (const torch::jit::Node* node : program.get_method("forward").graph()->nodes()) {
    ++nodes;
    if (node->kind() != c10::prim::Constant || !node->hasAttribute(c10::attr::value)) continue;
    if (node->kindOf(c10::attr::value) != torch::jit::AttributeKind::t) continue;
    EXPECT_EQ(node->t(c10::attr::value).dim(), 0) << *node;  // one number goes with any device
  }
  EXPECT_GT(nodes, 100U);
}

TEST_F(TorchScript, AProgramHasAMapPerTileAndNoFeatures) {
  Ensemble theirs(zoo(), torch::kCPU);
  EXPECT_FALSE(theirs.config().has_map());
  EXPECT_EQ(theirs.config().spacing_um_per_px, 0.5);
  const Prediction said = theirs.predict(torch::randint(0, 256, {2, 96, 96, 3}, torch::kUInt8), 2);
  EXPECT_EQ(said.features.sizes(), (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(said.map.sizes(), (std::vector<std::int64_t>{2, 48, 48}));
  EXPECT_TRUE(torch::allclose(said.map, said.probability.select(1, 1).view({2, 1, 1}).expand_as(said.map)));
}

TEST_F(TorchScript, TilesAreBroughtToTheProgramsSize) {
  change_config([](json& d) { d["patch_size_pixels"] = 192; });
  Ensemble theirs(zoo(), torch::kCPU);
  const torch::Tensor small = torch::randint(0, 256, {1, 96, 96, 3}, torch::kUInt8);
  const torch::Tensor large = small.repeat_interleave(2, 1).repeat_interleave(2, 2);
  Ensemble ours(config_, members_, torch::kCPU);
  // Averaging 2 x 2 equal pixels would give the small tile back; the smoothing kernel is wider, so it is near it.
  EXPECT_LT((theirs.predict(large, 2).probability - ours.predict(small, 2).probability).abs().max().item<double>(), 0.2);
}

TEST_F(TorchScript, NamesAFileThatIsNoProgramOrIsMissing) {
  std::ofstream(zoo() / "torchscript_model.pt") << "not a program";
  EXPECT_NE(test::message_of<InputError>([&] { Ensemble(zoo(), torch::kCPU); }).find("cannot be read as TorchScript"), std::string::npos);
  std::filesystem::remove(zoo() / "torchscript_model.pt");
  EXPECT_NE(test::message_of<InputError>([&] { Ensemble(zoo(), torch::kCPU); }).find("no such file"), std::string::npos);
}

TEST_F(TorchScript, RefusesAProgramOfOtherClasses) {
  change_config([](json& d) {
    d["num_classes"] = 3;
    d["class_names"] = {"a", "b", "c"};
  });
  Ensemble theirs(zoo(), torch::kCPU);
  const torch::Tensor rgb = torch::randint(0, 256, {1, 96, 96, 3}, torch::kUInt8);
  EXPECT_NE(test::message_of<InputError>([&] { theirs.predict(rgb, 2); }).find("[1,2]"), std::string::npos);
}

TEST_F(TorchScript, HasNoActivationToShow) {
  const auto message = test::message_of<InputError>([&] { Ensemble(zoo(), torch::kCPU, {.class_activation = true}); });
  EXPECT_NE(message.find("shows no activation"), std::string::npos) << message;
}

TEST_F(TorchScript, AProgramCannotBeExportedAgain) {
  EXPECT_NE(test::message_of<InputError>([&] { load_members(zoo(), read_model_config(zoo())); }).find("TorchScript"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::nets
