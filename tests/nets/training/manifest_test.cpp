#include "nets/training/manifest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {
namespace fs = std::filesystem;

class Manifest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("clmnet_manifest_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    for (const char* name : {"a.png", "b.png", "m.png"}) std::ofstream(folder_ / name) << "x";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<ManifestRow> read(const std::string& text) {
    std::ofstream(folder_ / "list.csv") << text;
    return read_manifests({folder_ / "list.csv"});
  }
  std::string error_of(const std::string& text) {
    try {
      read(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }
  fs::path folder_;
};

TEST_F(Manifest, ReadsPathsRelativeToItself) {
  const auto rows = read("image,mask,patient_id,diagnosis,tumour\na.png,m.png,P1,polyp,0\nb.png,,P2,carcinoma,1\n");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].image, folder_ / "a.png");
  EXPECT_EQ(rows[0].mask, folder_ / "m.png");
  EXPECT_EQ(rows[0].label, 0);
  EXPECT_TRUE(rows[1].mask.empty());
  EXPECT_EQ(rows[1].patient, "P2");
}

TEST_F(Manifest, AnEmptyOrMinusOneLabelIsUnknown) {
  const auto rows = read("image,tumour\na.png,\nb.png,-1\n");
  EXPECT_EQ(rows[0].label, -1);
  EXPECT_EQ(rows[1].label, -1);
}

TEST_F(Manifest, NamesWhatIsWrong) {
  EXPECT_NE(error_of("image,tumour\nnone.png,1\n").find("none.png"), std::string::npos);
  EXPECT_NE(error_of("image,mask,tumour\na.png,none.png,1\n").find("none.png"), std::string::npos);
  EXPECT_NE(error_of("image,tumour\na.png,2\n").find("line 2"), std::string::npos);
  EXPECT_NE(error_of("image,tumour\na.png,yes\n").find("'yes'"), std::string::npos);
  EXPECT_NE(error_of("image,tumour\na.png,0.5\n").find("'0.5'"), std::string::npos);
  EXPECT_NE(error_of("image,label\na.png,1\n").find("no column 'tumour'"), std::string::npos);
  EXPECT_NE(error_of("file,tumour\na.png,1\n").find("no column 'image'"), std::string::npos);
  EXPECT_NE(error_of("image,tumour\n").find("no rows"), std::string::npos);
  EXPECT_NE(error_of("").find("empty"), std::string::npos);
  EXPECT_THROW(read_manifests({}), InputError);
  EXPECT_THROW(read_manifests({folder_ / "absent.csv"}), InputError);
}

TEST_F(Manifest, RowsOfSlidesAreKeptOnlyForWhoCanCutThem) {
  const std::string text = "image,mask,slide,annotation,patient_id,um_per_px,tumour\n,,a.png,b.png,P1,0.25,\na.png,m.png,,,P2,,1\n,,b.png,m.png,,,0\n";
  EXPECT_NE(error_of(text).find("line 2, column 'slide': a slide, expected images here"), std::string::npos) << error_of(text);
  const auto rows = read_manifests({folder_ / "list.csv"}, 2, SlideRows::keep);
  ASSERT_EQ(rows.size(), 3U);
  ASSERT_TRUE(rows[0].slide);
  EXPECT_EQ(rows[0].slide->slide, folder_ / "a.png");
  EXPECT_EQ(rows[0].slide->annotation, folder_ / "b.png");
  EXPECT_EQ(rows[0].slide->um_per_px, 0.25);
  EXPECT_TRUE(rows[0].slide->whole);
  EXPECT_EQ(rows[0].label, -1);
  EXPECT_EQ(rows[0].patient, "P1");
  EXPECT_FALSE(rows[1].slide);
  EXPECT_EQ(rows[1].mask, folder_ / "m.png");
  EXPECT_EQ(rows[2].slide->um_per_px, 0);
  EXPECT_EQ(rows[2].label, -1) << "the annotation says it";
}

TEST_F(Manifest, NamesWhatIsWrongWithASlide) {
  const auto kept = [&](const std::string& text) -> std::string {
    std::ofstream(folder_ / "list.csv") << text;
    try {
      read_manifests({folder_ / "list.csv"}, 2, SlideRows::keep);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(kept("slide,annotation\na.png,b.png\n"), "no error") << "nothing else is needed";
  EXPECT_NE(kept("slide\na.png\n").find("no column 'annotation'"), std::string::npos);
  EXPECT_NE(kept("slide,annotation\na.png,\n").find("column 'annotation': is empty"), std::string::npos);
  EXPECT_NE(kept("slide,annotation\na.png,none.xml\n").find("none.xml: no such file"), std::string::npos);
  EXPECT_NE(kept("slide,annotation\nnone.svs,b.png\n").find("none.svs: no such file"), std::string::npos);
  EXPECT_NE(kept("slide,annotation\n,b.png\n").find("column 'slide'"), std::string::npos);
  EXPECT_NE(kept("image,slide,annotation\na.png,b.png,m.png\n").find("no column 'tumour'"), std::string::npos);
  EXPECT_NE(kept("image,slide,annotation,tumour\na.png,b.png,m.png,1\n").find("names an image too"), std::string::npos);
  EXPECT_NE(kept("image,slide,annotation,tumour\n,,m.png,1\n").find("column 'image'"), std::string::npos);
  for (const char* um : {"0", "-1", "51", "x"}) {
    EXPECT_NE(kept(std::string("slide,annotation,um_per_px\na.png,b.png,") + um + "\n").find("column 'um_per_px'"), std::string::npos) << um;
  }
}

TEST(TumourMask, IsTheLesionInATumourImageAndNothingElsewhere) {
  const torch::Tensor lesion = torch::tensor({{0, 255}, {7, 0}}, torch::kUInt8);
  ManifestRow row;
  row.label = 1;
  EXPECT_TRUE(torch::equal(tumour_mask(row, lesion), torch::tensor({{0, 1}, {1, 0}}, torch::kUInt8)));
  row.label = 0;
  EXPECT_EQ(tumour_mask(row, lesion).sum().item<int>(), 0);
  row.label = -1;
  EXPECT_FALSE(tumour_mask(row, lesion).defined());
  row.label = 1;
  EXPECT_FALSE(tumour_mask(row, {}).defined());
}

std::vector<ManifestRow> cohort(int patients, int images_each) {
  std::vector<ManifestRow> rows;
  for (int p = 0; p < patients; ++p) {
    for (int i = 0; i < images_each; ++i) {
      ManifestRow row;
      row.patient = std::to_string(p);
      row.label = p % 2;
      rows.push_back(row);
    }
  }
  return rows;
}

TEST(SplitByPatient, NoPatientIsOnBothSidesAndEveryImageIsOnOne) {
  const auto rows = cohort(40, 3);
  const Split split = split_by_patient(rows, 0.25, 0, 7);
  EXPECT_EQ(split.train.size() + split.validation.size(), rows.size());
  EXPECT_EQ(split.validation.size(), 30U);  // 5 of 20 patients of each class, 3 images each
  std::set<std::string> trained;
  for (const auto row : split.train) trained.insert(rows[row].patient);
  for (const auto row : split.validation) EXPECT_FALSE(trained.contains(rows[row].patient));
}

TEST(SplitByPatient, IsTheSameForASeedAndAnotherForAnother) {
  const auto rows = cohort(40, 2);
  EXPECT_EQ(split_by_patient(rows, 0.2, 0, 1).validation, split_by_patient(rows, 0.2, 0, 1).validation);
  EXPECT_NE(split_by_patient(rows, 0.2, 0, 1).validation, split_by_patient(rows, 0.2, 0, 2).validation);
}

TEST(SplitByPatient, TestPatientsAreOnNeitherOtherSide) {
  const auto rows = cohort(40, 3);
  const Split split = split_by_patient(rows, 0.25, 0.1, 7);
  EXPECT_EQ(split.test.size(), 12U);        // 2 of 20 patients of each class
  EXPECT_EQ(split.validation.size(), 30U);  // 5 of 20
  EXPECT_EQ(split.train.size() + split.validation.size() + split.test.size(), rows.size());
  std::set<std::string> others;
  for (const auto row : split.train) others.insert(rows[row].patient);
  for (const auto row : split.validation) others.insert(rows[row].patient);
  for (const auto row : split.test) EXPECT_FALSE(others.contains(rows[row].patient));
}

TEST(SplitByPatient, ImagesWithoutAPatientAreOnlyTrainedOn) {
  auto rows = cohort(20, 1);
  for (int i = 0; i < 10; ++i) {
    rows.emplace_back();
    rows.back().label = i % 2;
  }
  for (const auto row : split_by_patient(rows, 0.2, 0, 1).validation) EXPECT_FALSE(rows[row].patient.empty());
}

TEST(SplitByPatient, RefusesWhatCannotBeValidated) {
  EXPECT_THROW(split_by_patient(cohort(2, 5), 0.2, 0, 1), InputError);   // rounds to no validation patient
  EXPECT_THROW(split_by_patient(cohort(40, 1), 0, 0, 1), InputError);
  EXPECT_THROW(split_by_patient(cohort(40, 1), 1, 0, 1), InputError);
  EXPECT_THROW(split_by_patient(cohort(40, 1), 0.6, 0.4, 1), InputError);  // nobody left to train on
  std::vector<ManifestRow> nobody(10);
  for (auto& row : nobody) row.label = 1;
  EXPECT_THROW(split_by_patient(nobody, 0.2, 0, 1), InputError);
}

}  // namespace
}  // namespace clmnet::nets
