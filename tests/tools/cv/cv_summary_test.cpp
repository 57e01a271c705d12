#include "tools/cv/cv_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Four images of two folds: the ensemble ranks all right, the network one pair of four wrong.
CvTable four_images(int repeat = 1) {
  CvTable table;
  table.rows = {{"a.png", "p1", "cancer", 1, repeat, 1}, {"b.png", "p2", "normal", 0, repeat, 1},
                {"c.png", "p3", "cancer, late", 1, repeat, 2}, {"d.png", "p4", "normal", 0, repeat, 2}};
  table.columns = {{"ensemble", {0.9, 0.1, 0.8, 0.2}, {1, 0, 1, 0}, {0.8, kNaN, 0.6, kNaN}},
                   {"unet", {0.9, 0.6, 0.5, 0.2}, {1, 1, 0, 0}, {0.7, kNaN, kNaN, kNaN}}};
  table.dice_before_crf = {0.9, kNaN, 0.7, kNaN};
  return table;
}

TEST(CvSummary, OfFourImagesByHand) {
  const auto s = summarise(four_images());
  EXPECT_EQ(s["images"], 4);
  EXPECT_EQ(s["patients"], 4);
  EXPECT_EQ(s["tumour_images"], 2);
  const auto& ensemble = s["predictors"]["ensemble"];
  EXPECT_DOUBLE_EQ(ensemble["auc"], 1);
  EXPECT_DOUBLE_EQ(ensemble["accuracy"]["value"], 1);
  EXPECT_NEAR(ensemble["accuracy"]["ci"][0].get<double>(), 4 / (4 + 1.959964 * 1.959964), 1e-6);  // Wilson, all right
  EXPECT_DOUBLE_EQ(ensemble["dice"], 0.7);
  EXPECT_DOUBLE_EQ(ensemble["dice_before_crf"], 0.8);
  EXPECT_NEAR(ensemble["brier"].get<double>(), (0.01 + 0.01 + 0.04 + 0.04) / 4, 1e-12);
  const auto& unet = s["predictors"]["unet"];
  EXPECT_DOUBLE_EQ(unet["auc"], 0.75);  // 0.5 below 0.6: one of four pairs
  EXPECT_DOUBLE_EQ(unet["accuracy"]["value"], 0.5);
  EXPECT_DOUBLE_EQ(unet["precision"]["value"], 0.5);
  EXPECT_DOUBLE_EQ(unet["recall"]["value"], 0.5);
  EXPECT_EQ(unet["confusion"]["false_positive"], 1);
  EXPECT_DOUBLE_EQ(unet["folds"]["auc"]["mean"], 1);  // within each fold the order is right
  EXPECT_DOUBLE_EQ(unet["folds"]["accuracy"]["sd"], 0);
}

TEST(CvSummary, ComparesTheEnsembleWithEachNetwork) {
  const auto s = summarise(four_images());
  ASSERT_EQ(s["comparisons"].size(), 1U);
  const auto& c = s["comparisons"][0];
  EXPECT_EQ(c["network"], "unet");
  EXPECT_DOUBLE_EQ(c["auc_difference"], 0.25);
  EXPECT_EQ(c["only_ensemble_right"], 2);
  EXPECT_EQ(c["only_network_right"], 0);
  EXPECT_DOUBLE_EQ(c["mcnemar_p"], 0.5);  // two discordant pairs, both one way: 2 * 1/4
  EXPECT_EQ(c["mcnemar_p"], c["mcnemar_p_holm"]);
}

TEST(CvSummary, RepeatsOfAnImageCountOnce) {
  CvTable table = four_images();
  CvTable second = four_images(2);
  second.columns[1].probability[2] = 0.8;  // mean 0.65, above 0.6
  append(table, second);
  const auto s = summarise(table);
  EXPECT_EQ(s["images"], 4);
  EXPECT_DOUBLE_EQ(s["predictors"]["unet"]["auc"], 1);
  EXPECT_EQ(s["predictors"]["unet"]["folds"]["auc"]["values"].size(), 4U);
}

TEST(Holm, ByHand) {
  const auto p = holm({0.04, 0.01, kNaN, 0.03});
  EXPECT_DOUBLE_EQ(p[1], 0.03);  // 3 * 0.01
  EXPECT_DOUBLE_EQ(p[3], 0.06);  // 2 * 0.03
  EXPECT_DOUBLE_EQ(p[0], 0.06);  // 1 * 0.04, not below the one before
  EXPECT_TRUE(std::isnan(p[2]));
  EXPECT_DOUBLE_EQ(holm({0.9, 0.8})[1], 1);
}

TEST(CvTable, ComesBackFromItsFile) {
  const test::TemporaryFolder folder;
  write_cv_table(folder / "predictions.csv", four_images());
  const CvTable table = read_cv_table(folder / "predictions.csv");
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(table.rows[2].diagnosis, "cancer, late");
  EXPECT_EQ(table.rows[3].fold, 2);
  ASSERT_EQ(table.columns.size(), 2U);
  EXPECT_EQ(table.columns[1].name, "unet");
  EXPECT_EQ(table.columns[1].called, four_images().columns[1].called);
  EXPECT_DOUBLE_EQ(table.columns[0].probability[2], 0.8);
  EXPECT_TRUE(std::isnan(table.columns[0].dice[1]));
  EXPECT_DOUBLE_EQ(table.dice_before_crf[0], 0.9);
}

TEST(CvTable, RefusesOtherFilesAndMixedNetworks) {
  const test::TemporaryFolder folder;
  write_atomically(folder / "other.csv", "image,fold\na,1\n");
  EXPECT_THROW(read_cv_table(folder / "other.csv"), InputError);
  write_atomically(folder / "short.csv", "image,prob_ensemble\na,0.5\n");
  EXPECT_THROW(read_cv_table(folder / "short.csv"), InputError);
  CvTable table = four_images(), more = four_images();
  more.columns[1].name = "vgg16";
  EXPECT_THROW(append(table, more), InputError);
}

}  // namespace
}  // namespace clmnet::tools
