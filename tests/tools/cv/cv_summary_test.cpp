#include "tools/cv/cv_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/cv/example_choice.h"

namespace clmnet::tools {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Four images of two folds: the ensemble ranks all right, the network one pair of four wrong.
CvTable four_images(int repeat = 1) {
  CvTable table;
  table.rows = {{"a.png", "p1", "cancer", 1, repeat, 1},
                {"b.png", "p2", "normal", 0, repeat, 1},
                {"c.png", "p3", "cancer, late", 1, repeat, 2},
                {"d.png", "p4", "normal", 0, repeat, 2}};
  const auto maps = [](double dice, double other, double hd95_um, double far, double empty, double wrong) {
    return MapMeasures{{dice, kNaN, other, kNaN}, {hd95_um, kNaN, far, kNaN}, {0, kNaN, empty, kNaN}, {kNaN, wrong, kNaN, 0}};
  };
  table.columns = {{"ensemble", {0.9, 0.1, 0.8, 0.2}, {1, 0, 1, 0}, maps(0.8, 0.6, 4, 10, 0, 0.25)},
                   {"unet", {0.9, 0.6, 0.5, 0.2}, {1, 1, 0, 0}, maps(0.7, 0, 6, 90.5, 1, 0.5)}};
  table.map_before_crf = maps(0.9, 0.7, 5, 13, 0, 0.5);
  return table;
}

TEST(CvSummary, OfFourImagesByHand) {
  const auto s = summarise(four_images());
  EXPECT_EQ(s["images"], 4);
  EXPECT_EQ(s["patients"], 4);
  EXPECT_EQ(s["tumour_images"], 2);
  const auto& ensemble = s["predictors"]["ensemble"];
  EXPECT_DOUBLE_EQ(ensemble["auc"]["value"], 1);
  EXPECT_DOUBLE_EQ(ensemble["accuracy"]["value"], 1);
  EXPECT_DOUBLE_EQ(ensemble["accuracy"]["ci"][0], 1);  // all right in every resample
  EXPECT_DOUBLE_EQ(ensemble["dice"]["value"], 0.7);
  EXPECT_DOUBLE_EQ(ensemble["dice_before_crf"]["value"], 0.8);
  EXPECT_NEAR(ensemble["dice_difference_crf"]["value"].get<double>(), -0.1, 1e-12);
  EXPECT_DOUBLE_EQ(ensemble["hd95_um"]["value"], 7);
  EXPECT_DOUBLE_EQ(ensemble["hd95_um"]["ci"][0], 4);  // two patients with tumour: a resample may hold one of them twice
  EXPECT_DOUBLE_EQ(ensemble["hd95_um"]["ci"][1], 10);
  EXPECT_DOUBLE_EQ(ensemble["hd95_um_before_crf"]["value"], 9);
  EXPECT_DOUBLE_EQ(ensemble["hd95_um_difference_crf"]["value"], -2);
  EXPECT_DOUBLE_EQ(ensemble["hd95_um_difference_crf"]["ci"][0], -3);  // paired: -1 and -3
  EXPECT_DOUBLE_EQ(ensemble["hd95_um_difference_crf"]["ci"][1], -1);
  EXPECT_DOUBLE_EQ(ensemble["folds"]["hd95_um_before_crf"]["mean"], 9);
  EXPECT_DOUBLE_EQ(ensemble["by_patient"]["hd95_um"]["value"], 7);
  EXPECT_DOUBLE_EQ(ensemble["false_tumour_share"]["value"], 0.125);  // of two images without tumour
  EXPECT_DOUBLE_EQ(ensemble["false_tumour_share_difference_crf"]["value"], -0.125);
  EXPECT_NEAR(ensemble["brier"]["value"].get<double>(), (0.01 + 0.01 + 0.04 + 0.04) / 4, 1e-12);
  const auto& unet = s["predictors"]["unet"];
  EXPECT_DOUBLE_EQ(unet["auc"]["value"], 0.75);  // 0.5 below 0.6: one of four pairs
  EXPECT_DOUBLE_EQ(unet["accuracy"]["value"], 0.5);
  EXPECT_DOUBLE_EQ(unet["precision"]["value"], 0.5);
  EXPECT_DOUBLE_EQ(unet["recall"]["value"], 0.5);
  EXPECT_DOUBLE_EQ(unet["f1"]["value"], 0.5);  // one hit, one missed, one false
  EXPECT_DOUBLE_EQ(unet["map_empty"]["value"], 0.5);  // of two images with tumour
  EXPECT_DOUBLE_EQ(unet["hd95_um"]["value"], 48.25);
  EXPECT_FALSE(unet.contains("hd95_um_before_crf"));
  EXPECT_DOUBLE_EQ(unet["matthews"]["value"], 0);
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
  EXPECT_DOUBLE_EQ(s["predictors"]["unet"]["auc"]["value"], 1);
  EXPECT_EQ(s["predictors"]["unet"]["folds"]["auc"]["values"].size(), 4U);
}

TEST(CvSummary, IntervalsDrawPatientsNotImages) {
  CvTable table = four_images();
  for (int copy = 0; copy < 40; ++copy) append(table, four_images());
  for (std::size_t i = 0; i < table.rows.size(); ++i) table.rows[i].image += std::to_string(i);  // 41 images of each patient
  const auto s = summarise(table);
  EXPECT_EQ(s["images"], 164);
  EXPECT_EQ(s["patients"], 4);
  const auto& accuracy = s["predictors"]["unet"]["accuracy"];
  EXPECT_DOUBLE_EQ(accuracy["value"], 0.5);
  EXPECT_DOUBLE_EQ(accuracy["ci"][0], 0);  // four patients are four, however many images they have
  EXPECT_DOUBLE_EQ(accuracy["ci"][1], 1);
}

TEST(CvSummary, OfOneClassIsUndefinedNotWrong) {
  CvTable table = four_images();
  for (auto& row : table.rows) row.label = 0;
  const auto s = summarise(table);
  EXPECT_TRUE(s["predictors"]["ensemble"]["auc"]["value"].is_null());
  EXPECT_TRUE(s["predictors"]["ensemble"]["recall"]["value"].is_null());
  EXPECT_DOUBLE_EQ(s["predictors"]["ensemble"]["specificity"]["value"], 0.5);
}

// p = 1 / (1 + exp(-z / T)): with T = 2 and z = 2 ln 9 it is 0.9, and before the temperature 81 / 82.
TEST(CvSummary, TakesTheTemperatureBack) {
  const CvTable table = four_images();
  const auto s = summarise(table, {{{1, 1}, {{"unet", 2.0}}}, {{1, 2}, {{"unet", 1.0}}}});
  const auto& calibration = s["predictors"]["unet"]["calibration"];
  EXPECT_EQ(calibration["temperatures"], (nlohmann::json{2.0, 1.0}));
  const double before = (std::abs(81.0 / 82 - 1) + std::abs(2.25 / 3.25 - 0) + std::abs(0.5 - 1) + std::abs(0.2 - 0)) / 4;
  EXPECT_NEAR(calibration["error_before_temperature"].get<double>(), before, 1e-9);  // each image alone in its bin
  EXPECT_FALSE(s["predictors"]["ensemble"]["calibration"].contains("temperatures"));
}

TEST(ByPatient, IsPositiveWhereOneImageIs) {
  CvTable table = four_images();
  for (auto& row : table.rows) row.patient = row.patient == "p3" || row.patient == "p4" ? "second" : "first";
  const CvTable patients = by_patient(table);
  ASSERT_EQ(patients.rows.size(), 2U);
  EXPECT_EQ(patients.rows[1].patient, "second");
  EXPECT_EQ(patients.rows[1].image, "2");
  EXPECT_EQ(patients.rows[1].label, 1);
  EXPECT_EQ(patients.rows[1].diagnosis, "cancer, late");
  EXPECT_DOUBLE_EQ(patients.columns[0].probability[1], 0.8);
  EXPECT_EQ(patients.columns[1].called[0], 1);
  EXPECT_EQ(patients.columns[1].called[1], 0);
  EXPECT_DOUBLE_EQ(patients.columns[0].map.dice[1], 0.6);
  EXPECT_DOUBLE_EQ(patients.columns[1].map.hd95_um[1], 90.5);
  EXPECT_TRUE(std::isnan(patients.columns[0].map.hd95_um[0]) == std::isnan(patients.columns[0].map.dice[0]));
}

TEST(ChooseExamples, BestWorstAndWrong) {
  CvTable table = four_images();
  table.columns[0].called = {0, 0, 1, 1};  // the first is missed at 0.9 (sure by 0.1), the last found at 0.2
  const auto choices = choose_examples(table);
  ASSERT_EQ(choices.size(), 4U);
  EXPECT_STREQ(choices[0].kind, "best");
  EXPECT_EQ(choices[0].row, 0U);
  EXPECT_STREQ(choices[1].kind, "worst");
  EXPECT_EQ(choices[1].row, 2U);
  EXPECT_STREQ(choices[2].kind, "wrong");
  EXPECT_EQ(choices[2].row, 3U);
  EXPECT_EQ(choices[3].row, 0U);
  EXPECT_NE(example_caption(table, 0).find("probability of tumour 0.90, called normal, Dice 0.80"), std::string::npos);
  EXPECT_EQ(example_caption(table, 1).find("Dice"), std::string::npos);
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
  EXPECT_TRUE(std::isnan(table.columns[0].map.dice[1]));
  EXPECT_DOUBLE_EQ(table.columns[1].map.hd95_um[2], 90.5);
  EXPECT_TRUE(std::isnan(table.columns[1].map.hd95_um[3]));
  EXPECT_DOUBLE_EQ(table.columns[1].map.map_empty[2], 1);
  EXPECT_DOUBLE_EQ(table.columns[1].map.false_tumour_share[1], 0.5);
  EXPECT_DOUBLE_EQ(table.map_before_crf.dice[0], 0.9);
  EXPECT_DOUBLE_EQ(table.map_before_crf.hd95_um[2], 13);
  EXPECT_EQ(missing_cv_column(folder / "predictions.csv"), "");
}

TEST(CvTable, RefusesOtherFilesAndMixedNetworks) {
  const test::TemporaryFolder folder;
  write_atomically(folder / "other.csv", "image,fold\na,1\n");
  EXPECT_THROW(read_cv_table(folder / "other.csv"), InputError);
  EXPECT_EQ(missing_cv_column(folder / "other.csv"), "patient_id");
  EXPECT_THROW(missing_cv_column(folder / "absent.csv"), InputError);
  write_atomically(folder / "older.csv", "image,patient_id,diagnosis,tumour,repeat,fold,prob_ensemble,called_ensemble,dice_ensemble,"
                                         "dice_before_crf\na,p,cancer,1,1,1,0.5,1,0.5,0.4\n");
  EXPECT_EQ(missing_cv_column(folder / "older.csv"), "hd95_um_ensemble");
  EXPECT_THROW(read_cv_table(folder / "older.csv"), InputError);
  write_atomically(folder / "short.csv", "image,prob_ensemble\na,0.5\n");
  EXPECT_THROW(read_cv_table(folder / "short.csv"), InputError);
  CvTable table = four_images(), more = four_images();
  more.columns[1].name = "vgg16";
  EXPECT_THROW(append(table, more), InputError);
}

}  // namespace
}  // namespace clmnet::tools
