#include "tools/cv/cv_survival.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "survival/random.h"
#include "tests/base/temporary_folder.h"
#include "tests/tools/survival/fit_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr int kPatients = 60, kFolds = 3, kWidth = 4;

std::string name(int i) { return "p" + std::to_string(100 + i); }

/// Patients whose hazard follows `trait`, one image each. The networks of every fold put the trait into another column.
struct Cohort60 {
  ClinicalData data;
  PatientFolds folds;
  std::vector<double> trait;
  explicit Cohort60(double effect, std::uint64_t seed = 5) : folds(1) {
    survival::Random random(seed);
    for (int i = 0; i < kPatients; ++i) {
      trait.push_back(test::normal(random));
      test::draw_time(random, effect * trait.back(), data.outcome);
      data.patient.push_back(name(i));
      folds[0][name(i)] = i % kFolds;
    }
    data.x.resize(kPatients, 0);
    data.time_name = "months";
    data.horizon = 1;
  }
  CvFeatures features(int fold) const {
    CvFeatures f;
    survival::Random random(static_cast<std::uint64_t>(fold) + 50);
    f.features.resize(kPatients, kWidth);
    for (int i = 0; i < kPatients; ++i) {
      f.image.push_back(name(i) + ".png");
      f.patient.push_back(name(i));
      f.repeat.push_back(1);
      f.fold.push_back(fold + 1);
      for (int j = 0; j < kWidth; ++j)
        f.features(i, j) =
            static_cast<float>(j == fold ? (fold % 2 ? -3 : 3) * trait[static_cast<std::size_t>(i)] : test::normal(random));
    }
    f.parts = {{"vgg16", 0, 2}, {"unet", 2, 4}};
    return f;
  }
};

CvSurvival run(const Cohort60& cohort, const std::function<CvFeatures(int, int)>& features) {
  ClinicalArgs args;
  args.trees = 40;
  return cross_validate_survival(cohort.data, cohort.folds, args, 1, features, [](std::size_t, std::size_t) {});
}

TEST(CvSurvival, LearnsFromEachFoldsOwnFeatures) {
  const Cohort60 cohort(2);
  const CvSurvival result = run(cohort, [&](int, int fold) { return cohort.features(fold); });
  EXPECT_EQ(result.set_names, (std::vector<std::string>{"vgg16", "unet", "ensemble"}));
  ASSERT_EQ(result.results.size(), 6U);  // two methods
  EXPECT_EQ(result.results[2].set, "ensemble");
  EXPECT_GT(result.results[2].auc.value[0], 0.75);
  EXPECT_EQ(result.results[2].folds.size(), 3U);
  EXPECT_EQ(result.results[2].folds[0].training_patients, 40U);
  EXPECT_EQ(result.document["models"].size(), 6U);
  EXPECT_EQ(result.document["comparisons"].size(), 4U);
  EXPECT_TRUE(result.document["models"][0]["log_rank"].contains("p_holm"));
  EXPECT_NE(result.document["nested"].get<std::string>().find("training patients alone"), std::string::npos);
}

// What the networks of a fold say of its tested patients must not touch the models: with those rows spoiled the trained cut stays.
TEST(CvSurvival, TestedPatientsDoNotTouchTheModel) {
  const Cohort60 cohort(1);
  const CvSurvival plain = run(cohort, [&](int, int fold) { return cohort.features(fold); });
  const CvSurvival spoiled = run(cohort, [&](int, int fold) {
    CvFeatures f = cohort.features(fold);
    for (int i = 0; i < kPatients; ++i) {
      if (i % kFolds == fold) f.features.row(i).setConstant(1000);
    }
    return f;
  });
  for (std::size_t m = 0; m < plain.results.size(); ++m) {
    for (std::size_t f = 0; f < plain.results[m].folds.size(); ++f) {
      EXPECT_EQ(plain.results[m].folds[f].cut, spoiled.results[m].folds[f].cut) << m << ' ' << f;
      EXPECT_EQ(plain.results[m].folds[f].strength, spoiled.results[m].folds[f].strength);
    }
  }
  EXPECT_NE(plain.results[0].risk, spoiled.results[0].risk);
}

TEST(CvSurvival, APatientWithoutFeaturesIsNamed) {
  const Cohort60 cohort(1);
  const auto missing = [&](int, int fold) {
    CvFeatures f = cohort.features(fold);
    f.patient[7] = "somebody else";
    return f;
  };
  EXPECT_NE(clmnet::test::message_of<InputError>([&] { run(cohort, missing); }).find("p107"), std::string::npos);
}

TEST(CvSurvival, SaysBeforeTrainingWhatWouldStopIt) {
  Cohort60 cohort(1);
  EXPECT_TRUE(survival_problems(cohort.data, cohort.folds).empty());
  cohort.data.horizon = 1e-9;
  const auto problems = survival_problems(cohort.data, cohort.folds);
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_NE(problems[1].find("fold 2"), std::string::npos);
}

TEST(CvSurvival, PermutedOutcomesAreTheSameSetInAnotherOrder) {
  Cohort60 cohort(1);
  const auto before = cohort.data.outcome;
  permute_outcomes(cohort.data, 3);
  EXPECT_NE(cohort.data.outcome.time, before.time);
  auto a = before.time, b = cohort.data.outcome.time;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
  EXPECT_EQ(cohort.data.outcome.events(), before.events());
}

class ReadClinical : public testing::Test {
 protected:
  ClinicalData read(const std::string& text, const std::vector<std::string>& imaged = {"a", "b", "c"}) {
    write_atomically(folder_ / "clinical.csv", text);
    args_.file = (folder_ / "clinical.csv").string();
    return read_clinical(args_, imaged);
  }
  std::string message(const std::string& text) {
    return clmnet::test::message_of<InputError>([&] { read(text); });
  }
  ReadClinical() {
    args_.time = "months";
    args_.event = "died";
    args_.covariates = {"age"};
  }
  clmnet::test::TemporaryFolder folder_;
  ClinicalArgs args_;
};

TEST_F(ReadClinical, KeepsWhoHasImagesAndOutcome) {
  args_.missing = {"-999"};
  const ClinicalData data = read("patient_id,months,died,age\nb,12,1,60\na,30,0,-999\nd,5,1,50\n");
  EXPECT_EQ(data.patient, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(data.outcome.time, (std::vector<double>{30, 12}));
  EXPECT_EQ(data.without_images, (std::vector<std::string>{"d"}));
  EXPECT_EQ(data.without_outcome, (std::vector<std::string>{"c"}));
  EXPECT_TRUE(std::isnan(data.x(0, 0)));
  EXPECT_EQ(data.x(1, 0), 60);
  EXPECT_EQ(data.horizon, 12);  // the median of one event time
  EXPECT_EQ(events_of(data).at("b"), 1);
}

TEST_F(ReadClinical, SaysWhatIsWrong) {
  EXPECT_NE(message("patient_id,months,died,age\na,1,1,1\na,2,0,1\n").find("patient 'a' stands in two rows"), std::string::npos);
  EXPECT_NE(message("who,months,died,age\na,1,1,1\n").find("--patient"), std::string::npos);
  EXPECT_NE(message("patient_id,months,died,age\nx,1,1,1\n").find("none of its 1 patients has images"), std::string::npos);
  EXPECT_NE(message("patient_id,months,died,age\na,1,2,1\n"), "");
  EXPECT_NE(message("patient_id,months,died\na,1,1\n").find("age"), std::string::npos);
  EXPECT_NE(message("patient_id,months,died,age\na,1,0,1\nd,1,1,1\n").find("nobody with images had the event"),
            std::string::npos);
  args_.event.clear();
  EXPECT_NE(message("patient_id,months,died,age\na,1,1,1\n").find("--time and --event"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::tools
