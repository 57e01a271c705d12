#include "tools/survival/feature_sets.h"

#include <algorithm>
#include <map>

#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr int kEnsembleWidth = 1024;
const std::map<std::string, std::pair<int, int>> kBranches = {{"vgg16", {0, 512}},
                                                              {"deeplabv3", {512, 768}},
                                                              {"unet", {768, 1024}}};

FeatureSet set_of(const std::string& name, std::size_t clinical, const PatientFeatures& slides) {
  const bool wants_clinical = name == "clinical" || name == "both", wants_slides = name != "clinical";
  if (wants_clinical && clinical == 0) throw InputError("survival fit: --sets " + name + " needs --covariates");
  if (wants_slides && slides.width == 0) throw InputError("survival fit: --sets " + name + " needs --features and --slides");
  std::pair<int, int> range{0, slides.width};
  if (const auto branch = kBranches.find(name); branch != kBranches.end()) {
    if (slides.width != kEnsembleWidth) {
      throw InputError("survival fit: --sets " + name + ": the slides have " + std::to_string(slides.width) +
                       " features, only a model with 1024 (VGG16, DeepLab-v3, U-Net) has such a part");
    }
    range = branch->second;
  }
  FeatureSet set{name, {}};
  for (std::size_t j = 0; wants_clinical && j < clinical; ++j) set.columns.push_back(static_cast<Eigen::Index>(j));
  for (std::size_t j = 0; wants_slides && j < slides.feature.size(); ++j) {
    if (slides.feature[j] >= range.first && slides.feature[j] < range.second) {
      set.columns.push_back(static_cast<Eigen::Index>(clinical + j));
    }
  }
  return set;
}

}  // namespace

std::vector<FeatureSet> feature_sets(const std::vector<std::string>& wanted, std::size_t clinical,
                                     const PatientFeatures& slides) {
  std::vector<std::string> names = wanted;
  if (names.empty()) {
    if (clinical > 0) names.push_back("clinical");
    if (slides.width > 0) names.push_back("ensemble");
    if (names.size() == 2) names.push_back("both");
  }
  std::vector<FeatureSet> sets;
  for (const auto& name : names) {
    if (std::count(names.begin(), names.end(), name) > 1) throw InputError("survival fit: --sets names '" + name + "' twice");
    sets.push_back(set_of(name, clinical, slides));
  }
  return sets;
}

const FeatureSet& main_set(const std::vector<FeatureSet>& sets) {
  for (const char* name : {"both", "ensemble"}) {
    const auto found = std::find_if(sets.begin(), sets.end(), [&](const FeatureSet& set) { return set.name == name; });
    if (found != sets.end()) return *found;
  }
  return sets.front();
}

}  // namespace clmnet::tools
