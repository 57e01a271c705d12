#include "tools/survival/feature_join.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "tests/tools/survival/fit_fixture.h"
#include "tools/base/error.h"
#include "tools/survival/feature_sets.h"
#include "tools/survival/risk_map.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {
namespace {

using test::DrawnRun;

template <typename Do>
void expect_error(Do&& act, const std::vector<std::string>& words) {
  try {
    act();
    FAIL() << "no error";
  } catch (const InputError& error) {
    for (const auto& word : words) EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

/// Patient p has two slides, q one, r none; slide "d" is of a stranger.
struct Joined : testing::Test {
  DrawnRun drawn;
  const std::vector<std::string> patients{"p", "q", "r"};
  Joined() {
    drawn.add_slide("a", "p", {{1, 10}, {3, 20}}, {0.25F, 0.75F});
    drawn.add_slide("b", "p", {{8, 0}}, {0});
    drawn.add_slide("c", "q", {{5, 5}, {7, 1}, {9, 3}}, {0, 1, 0});
    drawn.add_slide("d", "stranger", {{0, 0}}, {1});
  }
  PatientFeatures join(Pooling pooling) { return join_features(drawn.run(), drawn.slides(), patients, pooling); }
};

TEST_F(Joined, MeanOverTilesThenSlides) {
  const auto joined = join(Pooling::mean);
  EXPECT_DOUBLE_EQ(joined.x(0, 0), (2.0 + 8.0) / 2);
  EXPECT_DOUBLE_EQ(joined.x(0, 1), (15.0 + 0.0) / 2);
  EXPECT_DOUBLE_EQ(joined.x(1, 0), 7);
  EXPECT_TRUE(std::isnan(joined.x(2, 0)));
  EXPECT_EQ(joined.without_slide, (std::vector<std::string>{"r"}));
  EXPECT_EQ(joined.without_patient, (std::vector<std::string>{"d.svs"}));
  EXPECT_EQ(joined.slides, 3U);
  EXPECT_EQ(joined.tiles, 6U);
  EXPECT_EQ(joined.names[1], "feature_1");
}

TEST_F(Joined, MaxOverAllTiles) {
  const auto joined = join(Pooling::max);
  EXPECT_DOUBLE_EQ(joined.x(0, 0), 8);
  EXPECT_DOUBLE_EQ(joined.x(0, 1), 20);
}

TEST_F(Joined, QuantilesOverAllTiles) {
  const auto joined = join(Pooling::quantiles);
  ASSERT_EQ(joined.x.cols(), 6);
  EXPECT_EQ(joined.names[4], "q90_feature_0");
  // 1, 3, 8: the tenth percentile lies a fifth of the way from 1 to 3.
  EXPECT_NEAR(joined.x(0, 0), 1.4, 1e-12);
  EXPECT_NEAR(joined.x(0, 2), 3, 1e-12);
  EXPECT_NEAR(joined.x(0, 4), 7, 1e-12);
}

TEST_F(Joined, AttentionGoesToTumour) {
  const auto joined = join(Pooling::attention);
  // Slide a: 1/4 and 3/4; slide b has no tumour, so its tiles count alike.
  EXPECT_NEAR(joined.x(0, 0), (0.25 * 1 + 0.75 * 3 + 8) / 2, 1e-12);
  EXPECT_NEAR(joined.x(1, 1), 1, 1e-12);
}

TEST_F(Joined, WhatIsWrongIsNamed) {
  drawn.manifest += "nowhere.svs,p\n";
  expect_error([&] { join(Pooling::mean); }, {"nowhere", "features.h5", "clmnet analyze", "take it out of --slides"});
}

TEST_F(Joined, AnotherWidth) {
  drawn.add_slide("e", "q", {{1, 2, 3}});
  expect_error([&] { join(Pooling::mean); }, {"e/features.h5", "3 features a tile", "a/features.h5 has 2"});
}

TEST_F(Joined, ASlideTwice) {
  drawn.manifest += "a.svs,q\n";
  expect_error([&] { join(Pooling::mean); }, {"slides.csv: line 6, column 'slide'", "line 2"});
}

TEST_F(Joined, NobodyOfTheCohort) {
  expect_error([&] { join_features(drawn.run(), drawn.slides(), {"x"}, Pooling::mean); }, {"no slide belongs to a patient"});
}

TEST_F(Joined, NoTilesAndNoProbabilities) {
  drawn.add_slide("f", "q", {});
  expect_error([&] { join(Pooling::mean); }, {"f/features.h5", "no tile"});
}

TEST_F(Joined, TilesThatAreOthers) {
  drawn.folder.write("run/a/tiles.csv", "minx,miny,width,height,prob_tumour\n0,0,256,256,0.5\n512,0,256,256,0.5\n");
  expect_error([&] { join(Pooling::attention); }, {"tiles.csv: line 3", "another tile"});
  drawn.folder.write("run/a/tiles.csv", "minx,miny,width,height,prob_tumour\n0,0,256,256,0.5\n");
  expect_error([&] { join(Pooling::attention); }, {"1 tiles", "has 2"});
  drawn.folder.write("run/a/tiles.csv", "minx,miny,width,height,prob_tumour\n0,0,256,256,0.5\n256,0,256,256,1.5\n");
  expect_error([&] { join(Pooling::attention); }, {"no probability"});
  std::filesystem::remove(drawn.run() / "a" / "tiles.csv");
  expect_error([&] { join(Pooling::attention); }, {"tiles.csv"});
}

TEST(FeatureSets, TakeTheirColumns) {
  PatientFeatures slides;
  slides.width = 1024;
  for (int j = 0; j < 1024; ++j) slides.feature.push_back(j);
  const auto sets = feature_sets({"clinical", "vgg16", "deeplabv3", "unet", "ensemble", "both"}, 2, slides);
  EXPECT_EQ(sets[0].columns, (std::vector<Eigen::Index>{0, 1}));
  EXPECT_EQ(sets[1].columns.size(), 512U);
  EXPECT_EQ(sets[1].columns.front(), 2);
  EXPECT_EQ(sets[2].columns.front(), 514);
  EXPECT_EQ(sets[2].columns.size(), 256U);
  EXPECT_EQ(sets[3].columns.front(), 770);
  EXPECT_EQ(sets[3].columns.back(), 1025);
  EXPECT_EQ(sets[5].columns.size(), 1026U);
  EXPECT_EQ(main_set(sets).name, "both");
  EXPECT_EQ(feature_sets({}, 2, {}).size(), 1U);
}

TEST(FeatureSets, RefuseWhatIsNotThere) {
  PatientFeatures slides;
  slides.width = 64;
  expect_error([&] { feature_sets({"vgg16"}, 0, slides); }, {"64 features", "1024"});
  expect_error([&] { feature_sets({"both"}, 0, slides); }, {"--covariates"});
  expect_error([] { feature_sets({"ensemble"}, 3, {}); }, {"--features"});
  expect_error([] { feature_sets({"clinical", "clinical"}, 3, {}); }, {"twice"});
}

TEST_F(Joined, ContributionsAddUpToThePredictor) {
  SavedModel model;
  model.slides = SlideColumns{Pooling::mean, 2, {0, 1}};
  model.slope.resize(2);
  model.slope << 0.5, -0.25;
  model.median.setZero(2);
  model.offset = 3;
  const auto slide = read_slide_tiles(drawn.run(), "a", true);
  const auto contribution = tile_contributions(model, slide);
  EXPECT_NEAR(contribution[0], (3 + 0.5 - 2.5) / 2, 1e-12);
  EXPECT_NEAR(contribution.sum(), 3 + 0.5 * 2 - 0.25 * 15, 1e-12);
  const auto map = risk_map(slide, contribution);
  EXPECT_EQ(map.columns, 8);   // 2000 px in steps of 256
  EXPECT_EQ(map.rows, 4);
  EXPECT_FLOAT_EQ(map.value[0], static_cast<float>(contribution[0]));
  EXPECT_FLOAT_EQ(map.value[1], static_cast<float>(contribution[1]));
  EXPECT_DOUBLE_EQ(map.um_per_px_x, 128);
  write_risk_map(drawn.folder / "risk.tiff", map, "risk");
  const cv::Mat read = wsi::read_picture(drawn.folder / "risk.tiff", cv::IMREAD_UNCHANGED);
  ASSERT_EQ(read.type(), CV_32F);
  EXPECT_EQ(read.size(), cv::Size(8, 4));
  EXPECT_NEAR(cv::sum(read)[0], contribution.sum(), 1e-5);
  expect_error([&] { write_risk_map(drawn.folder / "no" / "risk.tiff", map, "risk"); }, {"risk.tiff", "no such folder"});
  model.slides->pooling = Pooling::max;
  expect_error([&] { tile_contributions(model, slide); }, {"max", "no sum over tiles"});
  model.slides = SlideColumns{Pooling::mean, 3, {0, 1}};
  expect_error([&] { tile_contributions(model, slide); }, {"2 features", "fitted to 3"});
  model.slides.reset();
  expect_error([&] { tile_contributions(model, slide); }, {"no slide features"});
}

}  // namespace
}  // namespace clmnet::tools
