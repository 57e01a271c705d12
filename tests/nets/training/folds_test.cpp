#include "nets/training/folds.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

std::vector<ManifestRow> folded_cohort(int patients, int images_each) {
  std::vector<ManifestRow> rows;
  for (int p = 0; p < patients; ++p) {
    for (int i = 0; i < images_each; ++i) {
      ManifestRow row;
      row.patient = std::to_string(p);
      row.label = p % 3 == 0 ? 1 : 0;
      rows.push_back(row);
    }
  }
  return rows;
}

TEST(MakeFolds, KeepsPatientsWholeAndClassesEven) {
  const auto rows = folded_cohort(31, 3);  // 11 patients with tumour, 20 without
  const auto folds = make_folds(rows, 5, 1);
  ASSERT_EQ(folds.size(), rows.size());
  std::map<std::string, std::set<int>> folds_of_patient;
  std::map<int, std::map<int, std::set<std::string>>> patients;  // fold -> class -> patients
  for (std::size_t i = 0; i < rows.size(); ++i) {
    folds_of_patient[rows[i].patient].insert(folds[i]);
    patients[folds[i]][rows[i].label].insert(rows[i].patient);
  }
  for (const auto& [patient, its] : folds_of_patient) EXPECT_EQ(its.size(), 1U) << patient;
  ASSERT_EQ(patients.size(), 5U);
  for (auto& [fold, by_class] : patients) {
    EXPECT_EQ(by_class[0].size(), 4U);
    EXPECT_GE(by_class[1].size(), 2U);
    EXPECT_LE(by_class[1].size(), 3U);
  }
}

TEST(MakeFolds, AreTheSameForASeedAndOthersForAnother) {
  const auto rows = folded_cohort(30, 1);
  EXPECT_EQ(make_folds(rows, 5, 3), make_folds(rows, 5, 3));
  EXPECT_NE(make_folds(rows, 5, 3), make_folds(rows, 5, 4));
}

TEST(MakeFolds, APatientWithSeveralClassesCountsByTheHighest) {
  auto rows = folded_cohort(6, 2);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].label = i % 2 == 0 ? 1 : 0;
  EXPECT_NO_THROW(make_folds(rows, 2, 1));
  for (auto& row : rows) row.label = row.patient == "0" ? 1 : 0;
  EXPECT_THROW(make_folds(rows, 2, 1), InputError);  // one patient with tumour cannot be in two folds
}

TEST(MakeFolds, SpreadsEventsWithinEachClass) {
  const auto rows = folded_cohort(60, 2);  // 20 patients with tumour, 40 without
  std::map<std::string, int> events;
  for (int p = 0; p < 50; ++p) events[std::to_string(p)] = p % 5 == 0 ? 1 : 0;  // ten with the event; ten patients of unknown outcome
  const auto folds = make_folds(rows, 5, 1, events);
  std::map<int, std::map<int, std::set<std::string>>> with_event, of_class;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    of_class[folds[i]][rows[i].label].insert(rows[i].patient);
    const auto event = events.find(rows[i].patient);
    with_event[folds[i]][event == events.end() ? -1 : event->second].insert(rows[i].patient);
  }
  for (int fold = 0; fold < 5; ++fold) {
    EXPECT_EQ(of_class[fold][1].size(), 4U);
    EXPECT_EQ(of_class[fold][0].size(), 8U);
    EXPECT_GE(with_event[fold][1].size(), 1U);
    EXPECT_LE(with_event[fold][1].size(), 3U);
    EXPECT_GE(with_event[fold][0].size(), 7U);
  }
  EXPECT_EQ(make_folds(rows, 5, 1, {}), make_folds(rows, 5, 1));
}

TEST(MakeFolds, RefusesWhatCannotBeSplitByPatient) {
  auto rows = folded_cohort(12, 1);
  EXPECT_THROW(make_folds(rows, 1, 1), InputError);
  EXPECT_THROW(make_folds(rows, 5, 1), InputError);  // four patients with tumour
  rows[3].patient.clear();
  EXPECT_THROW(make_folds(rows, 2, 1), InputError);
}

class ReadFolds : public testing::Test {
 protected:
  std::vector<int> read(const std::string& text) {
    write_atomically(folder_.path() / "folds.csv", text);
    return read_folds(folder_.path() / "folds.csv", folded_cohort(3, 2));
  }
  std::string message(const std::string& text) {
    return test::message_of<InputError>([&] { read(text); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(ReadFolds, TakesTheFoldOfEachPatient) {
  EXPECT_EQ(read("patient_id,fold\n0,2\n1,1\n2,2\n7,1\n"), (std::vector<int>{1, 1, 0, 0, 1, 1}));
}

TEST_F(ReadFolds, NamesThePatientOnBothSides) {
  EXPECT_NE(message("patient_id,fold\n0,2\n1,1\n2,2\n0,1\n").find("patient '0'"), std::string::npos);
}

TEST_F(ReadFolds, NamesThePatientInNoFold) {
  EXPECT_NE(message("patient_id,fold\n0,2\n1,1\n").find("patient '2'"), std::string::npos);
}

TEST_F(ReadFolds, RefusesWrongNumbersAndEmptyFolds) {
  EXPECT_THROW(read("patient_id,fold\n0,0\n1,1\n2,1\n"), InputError);
  EXPECT_THROW(read("patient_id,fold\n0,1.5\n1,1\n2,1\n"), InputError);
  EXPECT_THROW(read("patient_id,fold\n0,1\n1,1\n2,1\n"), InputError);
  EXPECT_THROW(read("patient_id,fold\n0,1\n1,3\n2,1\n"), InputError);
  EXPECT_THROW(read("patient,fold\n0,1\n"), InputError);
}

}  // namespace
}  // namespace clmnet::nets
