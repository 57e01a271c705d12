#include "nets/model_config.h"

#include <gtest/gtest.h>

#include <functional>

#include <nlohmann/json.hpp>

#include "nets/ensemble.h"
#include "nets/inference/stain_target.h"
#include "tests/base/temporary_folder.h"
#include "tests/nets/inference/colour_model.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

using nlohmann::json;

class ModelConfigTest : public ::testing::Test {
 protected:
  void SetUp() override { test::write_colour_model(folder_ / "model", 1.0, 230, 120); }
  std::filesystem::path model() const { return folder_ / "model"; }

  /// The message after one change of config.json.
  std::string error_after(const std::function<void(json&)>& change) {
    json document = json::parse(read_whole_file(model() / "config.json"));
    change(document);
    write_atomically(model() / "config.json", document.dump());
    return test::message_of<InputError>([&] { Ensemble(model(), torch::kCPU); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(ModelConfigTest, IsReadAsItWasWritten) {
  const ModelConfig config = read_model_config(model());
  write_model_config(model(), config);
  EXPECT_EQ(to_json(read_model_config(model())), to_json(config));
  EXPECT_EQ(config.patch_size_px, 64);
  EXPECT_EQ(config.feature_size(), 256);
}

TEST_F(ModelConfigTest, TheColoursThatTilesAreBroughtToAreKept) {
  ModelConfig config = read_model_config(model());
  EXPECT_FALSE(config.stain);
  config.stain = StainTarget{"reinhard", {70, 20, -10, 15, 8, 6.5}, 0.5};
  write_model_config(model(), config);
  const ModelConfig again = read_model_config(model());
  ASSERT_TRUE(again.stain);
  EXPECT_EQ(again.stain->method, "reinhard");
  EXPECT_EQ(again.stain->reference, config.stain->reference);
  EXPECT_EQ(again.stain->strength, 0.5);
}

TEST_F(ModelConfigTest, ColoursAreWrittenAsTheRoomOfSlidesWritesThem) {
  for (const wsi::StainReference& reference :
       {wsi::StainReference{wsi::published_macenko_reference(), {}}, wsi::StainReference{{}, wsi::ReinhardFit{{70, 20, -10}, {15, 8, 6.5}}, 0.5}}) {
    ModelConfig config = read_model_config(model());
    config.stain = stain_target_of(reference);
    write_model_config(model(), config);
    const json written = json::parse(read_whole_file(model() / "config.json"));
    EXPECT_EQ(written["clmnet"]["stain"], wsi::to_json(reference));
    EXPECT_EQ(wsi::to_json(stain_reference_of(read_model_config(model())).value()), wsi::to_json(reference));
  }
}

TEST_F(ModelConfigTest, ColoursInOneListAreRead) {
  json document = json::parse(read_whole_file(model() / "config.json"));
  document["clmnet"]["stain"] = {{"method", "macenko"}, {"reference", {1, 2, 3, 4, 5, 6, 7, 8}}};
  write_atomically(model() / "config.json", document.dump());
  const wsi::MacenkoFit fit = stain_reference_of(read_model_config(model())).value().macenko.value();
  EXPECT_EQ(fit.haematoxylin, (wsi::Rgb3{1, 2, 3}));
  EXPECT_EQ(fit.eosin, (wsi::Rgb3{4, 5, 6}));
  EXPECT_EQ(fit.strongest, (std::array<double, 2>{7, 8}));
}

TEST_F(ModelConfigTest, ColoursOfAnotherFormAreRefused) {
  std::string message = error_after([](json& d) { d["clmnet"]["stain"] = {{"method", "vahadane"}, {"reference", {1, 2}}}; });
  EXPECT_NE(message.find("'method' is 'vahadane', expected macenko or reinhard"), std::string::npos) << message;
  message = error_after([](json& d) { d["clmnet"]["stain"] = {{"method", "macenko"}, {"reference", {1, 2, 3, 4, 5, 6}}}; });
  EXPECT_NE(message.find("'reference' has 6 numbers, expected 8"), std::string::npos) << message;
  message = error_after([](json& d) {
    d["clmnet"]["stain"] = {{"method", "reinhard"}, {"reference", {{"mean", {1, 2, 3}}, {"deviation", {1, 2}}}}};
  });
  EXPECT_NE(message.find("stain: reference: 'deviation' has 2 numbers, expected 3"), std::string::npos) << message;
  message = error_after([](json& d) { d["clmnet"]["stain"] = {{"method", "macenko"}, {"reference", {{"mean", {1, 2, 3}}}}}; });
  EXPECT_NE(message.find("no 'haematoxylin'"), std::string::npos) << message;
  message = error_after([](json& d) { d["clmnet"]["stain"] = {{"method", "macenko"}}; });
  EXPECT_NE(message.find("reference"), std::string::npos) << message;
}

TEST_F(ModelConfigTest, HasTheKeysOfWsinfersZoo) {
  const json document = json::parse(read_whole_file(model() / "config.json"));
  for (const char* key : {"spec_version", "architecture", "num_classes", "class_names", "name", "patch_size_pixels",
                          "spacing_um_px", "transform"}) {
    EXPECT_TRUE(document.contains(key)) << key;
  }
}

TEST_F(ModelConfigTest, NamesTheKeyThatIsWrong) {
  EXPECT_NE(error_after([](json& d) { d["spacing_um_px"] = -1; }).find("'spacing_um_px' is -1"), std::string::npos);
}
TEST_F(ModelConfigTest, NamesTheKeyThatIsMissing) {
  EXPECT_NE(error_after([](json& d) { d.erase("class_names"); }).find("no 'class_names'"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesClassesThatDoNotCount) {
  EXPECT_NE(error_after([](json& d) { d["num_classes"] = 3; }).find("'num_classes' is 3"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesANetworkItDoesNotKnow) {
  EXPECT_NE(error_after([](json& d) { d["clmnet"]["members"][0]["network"] = "vit"; }).find("'vit'"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesWeightsOutsideItsFolder) {
  EXPECT_NE(error_after([](json& d) { d["clmnet"]["members"][0]["weights"] = "../w.safetensors"; }).find("../w"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesAnEmptyEnsemble) {
  EXPECT_NE(error_after([](json& d) { d["clmnet"]["members"] = json::array(); }).find("at least one"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesMapsThatDoNotDivideATile) {
  const std::string message = error_after([](json& d) { d["clmnet"]["map_px"] = 3; });
  EXPECT_NE(message.find("'map_px' is 3, expected a divisor of patch_size_pixels 64"), std::string::npos) << message;
}
TEST_F(ModelConfigTest, MapsOfAModelThatDoesNotSayAreOfTwoPixels) {
  json document = json::parse(read_whole_file(model() / "config.json"));
  document["clmnet"].erase("map_px");
  write_atomically(model() / "config.json", document.dump());
  EXPECT_EQ(read_model_config(model()).map_px, 2);
}
TEST_F(ModelConfigTest, RefusesATransformWithoutNormalize) {
  EXPECT_NE(error_after([](json& d) { d["transform"] = json::array(); }).find("Normalize"), std::string::npos);
}
TEST_F(ModelConfigTest, RefusesAModelOfAnotherShape) {
  const std::string message = error_after([](json& d) { d["clmnet"]["members"][0]["width"] = 0.25; });
  EXPECT_NE(message.find("unet.safetensors"), std::string::npos) << message;
  EXPECT_NE(message.find("the model wants"), std::string::npos) << message;
}
TEST_F(ModelConfigTest, RefusesWeightsWithAnotherChecksum) {
  const std::string message = error_after([](json& d) { d["clmnet"]["members"][0]["sha256"] = std::string(64, '0'); });
  EXPECT_NE(message.find("SHA-256"), std::string::npos) << message;
}

TEST_F(ModelConfigTest, RefusesAMissingFolderAFileThatIsNoJsonAndMissingWeights) {
  EXPECT_NE(test::message_of<InputError>([&] { read_model_config(folder_ / "none"); }).find("no such model folder"), std::string::npos);
  std::filesystem::remove(model() / "unet.safetensors");
  EXPECT_NE(test::message_of<InputError>([&] { Ensemble(model(), torch::kCPU); }).find("unet.safetensors"), std::string::npos);
  write_atomically(model() / "config.json", "{\"name\": ");
  EXPECT_NE(test::message_of<InputError>([&] { read_model_config(model()); }).find("not JSON"), std::string::npos);
}

TEST_F(ModelConfigTest, TheModelSaysWhatItWasBuiltToSay) {
  Ensemble ensemble(model(), torch::kCPU);
  torch::Tensor rgb = torch::full({1, 64, 64, 3}, 230, torch::kUInt8);
  rgb.slice(2, 32).fill_(120);
  const Prediction said = ensemble.predict(rgb, 1);
  EXPECT_LT(said.map[0][20][10].item<float>(), 0.01F);
  EXPECT_GT(said.map[0][20][50].item<float>(), 0.99F);
  EXPECT_EQ(said.features.sizes(), (std::vector<std::int64_t>{1, 256}));
  EXPECT_NEAR(said.probability.sum().item<double>(), 1, 1e-6);
}

}  // namespace
}  // namespace clmnet::nets
