#include "tools/training_config.h"

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

TEST(TrainingConfig, TheFileOfDefaultsHoldsTheDefaults) {
  EXPECT_EQ(to_json(read_training_setup(CLMNET_SOURCE_DIR "/configs/train.toml")), to_json(read_training_setup("")));
}

TEST(TrainingConfig, PatientsAreSplitByTheSeedUnlessTheyHaveOneOfTheirOwn) {
  const test::TemporaryFolder folder;
  const auto training = [&](const std::string& text) {
    return read_training_setup(folder.write("g.toml", "[training]\n" + text)).training;
  };
  EXPECT_EQ(training("seed = 7\n").split_seed, 7U);
  EXPECT_EQ(training("seed = 7\nsplit_seed = 3\n").split_seed, 3U);
  EXPECT_EQ(training("seed = 7\nsplit_seed = 3\n").seed, 7U);
}

TEST(TrainingConfig, BackbonesHaveVggsShareOfTheTileVectorAndNoMaskLoss) {
  const test::TemporaryFolder folder;
  const auto file = folder.write("a.toml", "[model]\nnetworks = [\"densenet201\", \"deeplabv3\", \"unet\"]\n[densenet201]\nwidth = 0.5\n");
  const TrainingSetup setup = read_training_setup(file);
  EXPECT_EQ(setup.model.feature_size(), 1024);
  EXPECT_EQ(setup.training.members[0].member.feature_size, 512);
  EXPECT_EQ(setup.training.members[0].member.width, 0.5);
  EXPECT_EQ(setup.training.members[0].mask_weight, 0);
  EXPECT_EQ(setup.training.members[1].mask_weight, 1);
}

TEST(TrainingConfig, SectionsOfNetworksThatAreLeftOutAreAllowedUnknownOnesAreNot) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_training_setup(folder.write("a.toml", "[model]\nnetworks = [\"unet\"]\n[resnet152]\nepochs = 3\n")).training.members.size(), 1U);
  const auto message = test::message_of<InputError>([&] { read_training_setup(folder.write("b.toml", "[resnet18]\nepochs = 3\n")); });
  EXPECT_NE(message.find("resnet18.epochs"), std::string::npos) << message;
}

TEST(TrainingConfig, AtrousRatesAreWholeNumbersFromOne) {
  const test::TemporaryFolder folder;
  const auto rates = [&](const std::string& text) {
    return read_training_setup(folder.write("d.toml", "[model]\nnetworks = [\"unet\"]\n[unet]\natrous_rates = " + text + "\n"))
        .training.members[0].member.atrous_rates;
  };
  EXPECT_EQ(rates("[1]"), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(rates("[2, 4]"), (std::vector<std::int64_t>{2, 4}));
  for (const char* wrong : {"[0]", "[1.5]", "[2, \"a\"]", "[2000]"}) {
    EXPECT_NE(test::message_of<InputError>([&] { rates(wrong); }).find("a list of whole numbers from 1 to 1000"), std::string::npos) << wrong;
  }
}

TEST(TrainingConfig, StainNormalisationIsAPropertyOfTheModel) {
  const test::TemporaryFolder folder;
  const auto setup = [&](const std::string& text) { return read_training_setup(folder.write("f.toml", "[model]\n" + text)); };
  EXPECT_FALSE(setup("stain_normalise = \"none\"\n").model.stain);
  const auto macenko = setup("stain_normalise = \"macenko\"\n");
  ASSERT_TRUE(macenko.model.stain);
  EXPECT_EQ(macenko.model.stain->reference.size(), 8U);
  EXPECT_EQ(to_json(macenko)["model"]["stain"]["method"], "macenko");
  EXPECT_EQ(macenko.model.stain->strength, 1);
  const auto half = setup("stain_normalise = \"reinhard\"\nstain_strength = 0.5\n");
  EXPECT_EQ(half.model.stain->method, "reinhard");
  EXPECT_EQ(half.model.stain->strength, 0.5);
  EXPECT_THROW(setup("stain_normalise = \"reinhard\"\nstain_strength = 1.5\n"), InputError);
  EXPECT_THROW(setup("stain_normalise = \"vahadane\"\n"), InputError);
  EXPECT_THROW(setup("stain_reference = \"a.png\"\n"), InputError);
}

TEST(TrainingConfig, AnUnknownScheduleIsRefused) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read_training_setup(folder.write("e.toml", "[training]\nschedule = \"poly\"\n")), InputError);
}

TEST(TrainingConfig, RefusesNoNetworkAndUnknownOnesByName) {
  const test::TemporaryFolder folder;
  const auto message = [&](const std::string& networks) {
    return test::message_of<InputError>([&] { read_training_setup(folder.write("c.toml", "[model]\nnetworks = " + networks + "\n")); });
  };
  EXPECT_NE(message("[\"vit\"]").find("no network 'vit'"), std::string::npos);
  EXPECT_NE(message("[\"torchscript\"]").find("no network 'torchscript'"), std::string::npos);
  EXPECT_NE(message("[\"unet\", \"unet\"]").find("'unet' stands twice"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::tools
