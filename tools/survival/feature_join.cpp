#include "tools/survival/feature_join.h"

#include <limits>
#include <map>

#include "tools/base/csv.h"
#include "tools/base/error.h"

#ifdef CLMNET_HAS_FEATURES
#include "wsi/features_h5.h"
#endif

namespace clmnet::tools {

#ifdef CLMNET_HAS_FEATURES
namespace {

Eigen::RowVectorXd mean_of_tiles(const std::filesystem::path& file) {
  const auto read = wsi::read_features(file);
  if (read.features.rows == 0) throw InputError(file.string() + ": no tile has features, expected at least one");
  Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(read.features.cols);
  for (int tile = 0; tile < read.features.rows; ++tile) {
    sum += Eigen::Map<const Eigen::RowVectorXf>(read.features.ptr<float>(tile), read.features.cols).cast<double>();
  }
  return sum / read.features.rows;
}

std::filesystem::path features_file(const std::filesystem::path& run, const std::string& slide) {
  for (const auto& name : {std::filesystem::path(slide), std::filesystem::path(slide).stem()}) {
    const auto file = run / name / "features.h5";
    if (std::filesystem::exists(file)) return file;
  }
  throw InputError((run / std::filesystem::path(slide).stem() / "features.h5").string() + ": no such file; run 'clmnet analyze' on the slide '" + slide +
                   "' first, or take it out of --slides");
}

}  // namespace

PatientFeatures join_features(const std::filesystem::path& run, const std::filesystem::path& manifest, const std::vector<std::string>& patients) {
  const CsvTable table = CsvTable::read(manifest);
  const std::size_t slide_column = table.column("slide"), patient_column = table.column("patient_id");
  std::map<std::string, Eigen::Index> position;
  for (std::size_t i = 0; i < patients.size(); ++i) position[patients[i]] = static_cast<Eigen::Index>(i);
  PatientFeatures result;
  std::vector<int> slides(patients.size(), 0);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& slide = table.cell(row, slide_column);
    const auto patient = position.find(table.cell(row, patient_column));
    if (patient == position.end()) {
      result.without_patient.push_back(slide);
      continue;
    }
    const auto file = features_file(run, slide);
    const Eigen::RowVectorXd features = mean_of_tiles(file);
    if (result.slides == 0) result.x.setZero(static_cast<Eigen::Index>(patients.size()), features.size());
    if (features.size() != result.x.cols()) {
      throw InputError(file.string() + ": " + std::to_string(features.size()) + " features, the slides before have " + std::to_string(result.x.cols()));
    }
    result.x.row(patient->second) += features;
    ++slides[static_cast<std::size_t>(patient->second)];
    ++result.slides;
  }
  if (result.slides == 0) throw InputError(manifest.string() + ": no slide belongs to a patient of the cohort; check patient_id and --id");
  for (std::size_t i = 0; i < patients.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    if (slides[i] == 0) {
      result.without_slide.push_back(patients[i]);
      result.x.row(row).setConstant(std::numeric_limits<double>::quiet_NaN());
    } else {
      result.x.row(row) /= slides[i];
    }
  }
  return result;
}
#else
PatientFeatures join_features(const std::filesystem::path& run, const std::filesystem::path&, const std::vector<std::string>&) {
  throw InputError(run.string() + ": this build of clmnet cannot read features.h5 (built without slide support); build with CLMNET_WITH_WSI=ON");
}
#endif

}  // namespace clmnet::tools
