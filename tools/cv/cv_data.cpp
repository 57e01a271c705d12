#include "tools/cv/cv_data.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "nets/inference/stain_target.h"
#include "nets/training/folds.h"
#include "nets/training/random.h"
#include "tools/annotated_slides.h"
#include "tools/base/error.h"
#include "tools/cv/data_checks.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

/// What reads the manifests, and where it says what became of slides.
struct RowSource {
  const ManifestReader& manifests;
  std::int64_t classes;
  ProgressBar& bar;
};

std::vector<nets::ManifestRow> rows_with_class(const std::vector<std::string>& files, const RowSource& source,
                                               std::size_t& without_class) {
  if (files.empty()) return {};
  std::vector<nets::ManifestRow> rows = source.manifests.read({files.begin(), files.end()}, source.classes,
                                                              [&](const std::string& line) { source.bar.line(line); });
  without_class += std::erase_if(rows, [](const nets::ManifestRow& row) { return row.label < 0; });
  return rows;
}

/// Every image takes the class of a patient that is drawn for its own patient, so that images of one patient stay alike.
void permute_classes(std::vector<nets::ManifestRow>& rows, std::uint64_t seed) {
  std::map<std::string, int> class_of;
  for (const auto& row : rows) {
    int& label = class_of.try_emplace(row.patient, row.label).first->second;
    label = std::max(label, row.label);
  }
  std::vector<int> classes;
  for (const auto& [patient, label] : class_of) classes.push_back(label);
  nets::Random(nets::mix_seed(seed, 4711)).shuffle(classes);
  std::size_t next = 0;
  for (auto& [patient, label] : class_of) label = classes[next++];
  for (auto& row : rows) row.label = class_of.at(row.patient);
}

std::vector<std::string> patient_names(const std::vector<nets::ManifestRow>& rows) {
  std::set<std::string> names;
  for (const auto& row : rows) {
    if (!row.patient.empty()) names.insert(row.patient);
  }
  return {names.begin(), names.end()};
}

void deal_folds(CvData& data, const CvArgs& args, std::uint64_t seed) {
  const std::map<std::string, int> events = data.clinical ? events_of(*data.clinical) : std::map<std::string, int>();
  for (int repeat = 0; repeat < args.repeats; ++repeat) {
    data.folds.push_back(
        args.folds_file.empty()
            ? nets::make_folds(data.rows, args.folds, nets::mix_seed(seed, 7000 + static_cast<std::uint64_t>(repeat)), events)
            : nets::read_folds(args.folds_file, data.rows));
  }
}

/// A class that a fold does not test, and training parts that cannot be split for validation.
void check_folds(const CvData& data, const TrainingSetup& setup, Problems& problems) {
  std::set<int> classes;
  for (const auto& row : data.rows) classes.insert(row.label);
  if (classes.size() < 2) problems.push_back("all images that are cross-validated are of one class; at least two are needed");
  for (int repeat = 0; repeat < static_cast<int>(data.folds.size()); ++repeat) {
    for (int fold = 0; fold < data.fold_count(); ++fold) {
      const std::string where = "repeat " + std::to_string(repeat + 1) + ", fold " + std::to_string(fold + 1) + ": ";
      const FoldRows rows = rows_of_fold(data, repeat, fold);
      for (const int label : classes) {
        if (std::none_of(rows.test.begin(), rows.test.end(), [&](const auto& row) { return row.label == label; })) {
          problems.push_back(where + "no image of class " + std::to_string(label) + " is tested; give fewer folds or other ones");
        }
      }
      try {
        split_of(rows.train, setup, part_of_fold(repeat, fold));
      } catch (const InputError& error) {
        problems.push_back(where + error.what());
      }
    }
  }
}

/// Runs a step whose error is one more problem.
template <class Step>
void collect(Problems& problems, const Step& step) {
  try {
    step();
  } catch (const InputError& error) {
    problems.emplace_back(error.what());
  }
}

void check_files(const CvArgs& args, const RowSource& source, Problems& problems, CvData& data) {
  const auto rows = scan_manifests(args.manifests, source.classes, problems),
             train = scan_manifests(args.train_manifests, source.classes, problems),
             test = scan_manifests(args.test_manifests, source.classes, problems);
  const bool complete = problems.empty();
  if (complete) {
    collect(problems, [&] { data.rows = rows_with_class(args.manifests, source, data.without_class); });
    collect(problems, [&] { data.train_only = rows_with_class(args.train_manifests, source, data.without_class); });
    collect(problems, [&] { data.test = rows_with_class(args.test_manifests, source, data.without_class); });
  }
  const auto& checked = complete ? data.rows : rows;
  const auto& checked_train = complete ? data.train_only : train;
  const auto& checked_test = complete ? data.test : test;
  if (!args.only_fold.empty()) return;  // the process that started this one has looked
  check_apart(checked, checked_train, "a manifest that is cross-validated and in one that is trained on", problems);
  check_apart(checked, checked_test, "a manifest that is cross-validated and in one that tests", problems);
  check_apart(checked_train, checked_test, "a manifest that is trained on and in one that tests", problems);
  data.copies = check_pixels({&checked, &checked_train, &checked_test},
                             {"a manifest that is cross-validated", "a manifest that is trained on", "a manifest that tests"},
                             data.load, problems, source.bar);
}

}  // namespace

int CvData::fold_count() const { return *std::max_element(folds.front().begin(), folds.front().end()) + 1; }

PatientFolds CvData::patient_folds() const {
  PatientFolds out(folds.size());
  for (std::size_t repeat = 0; repeat < folds.size(); ++repeat) {
    for (std::size_t i = 0; i < rows.size(); ++i) out[repeat][rows[i].patient] = folds[repeat][i];
  }
  return out;
}

CvData read_cv_data(const CvArgs& args, const TrainingSetup& setup, ProgressBar& bar) {
  const ManifestReader manifests(setup.slides, nets::stain_reference_of(setup.model));
  CvData data;
  data.load = manifests.loader();
  Problems problems;
  check_files(args, {manifests, static_cast<std::int64_t>(setup.model.class_names.size()), bar}, problems, data);
  if (!data.rows.empty()) {
    if (args.clinical.wanted())
      collect(problems, [&] { data.clinical = read_clinical(args.clinical, patient_names(data.rows)); });
    if (args.permute_labels) {
      permute_classes(data.rows, *args.permute_labels);
      if (data.clinical) permute_outcomes(*data.clinical, *args.permute_labels);
    }
    collect(problems, [&] { deal_folds(data, args, setup.training.split_seed); });
    if (static_cast<int>(data.folds.size()) == args.repeats) {
      check_folds(data, setup, problems);
      if (data.clinical) {
        const Problems more = survival_problems(*data.clinical, data.patient_folds());
        problems.insert(problems.end(), more.begin(), more.end());
      }
    }
  }
  throw_problems(problems);
  if (data.rows.empty())
    throw InputError("no image of a known class is left to cross-validate; 'tumour' in --manifest says the class");
  if (data.copies > 0)
    bar.line("note: " + std::to_string(data.copies) + " images have the pixels of another image of the same patient");
  return data;
}

FoldRows rows_of_fold(const CvData& data, int repeat, int fold) {
  FoldRows rows;
  rows.train = data.train_only;
  const auto& folds = data.folds[static_cast<std::size_t>(repeat)];
  for (std::size_t i = 0; i < data.rows.size(); ++i) (folds[i] == fold ? rows.test : rows.train).push_back(data.rows[i]);
  return rows;
}

std::uint64_t part_of_fold(int repeat, int fold) {
  return static_cast<std::uint64_t>(repeat) * 1000 + static_cast<std::uint64_t>(fold);
}

nets::TrainingOptions training_of(const TrainingSetup& setup, std::uint64_t part) {
  nets::TrainingOptions options = setup.training;
  options.seed = nets::mix_seed(setup.training.seed, part);
  options.split_seed = nets::mix_seed(setup.training.split_seed, part);
  return options;
}

nets::Split split_of(const std::vector<nets::ManifestRow>& rows, const TrainingSetup& setup, std::uint64_t part) {
  return nets::split_by_patient(rows, setup.training.validation_fraction, 0, training_of(setup, part).split_seed);
}

json describe_split(const CvData& data, const TrainingSetup& setup) {
  json list = json::array();
  for (int repeat = 0; repeat < static_cast<int>(data.folds.size()); ++repeat) {
    for (int fold = 0; fold < data.fold_count(); ++fold) {
      const FoldRows rows = rows_of_fold(data, repeat, fold);
      const nets::Split split = split_of(rows.train, setup, part_of_fold(repeat, fold));
      const auto tumour = std::count_if(rows.test.begin(), rows.test.end(), [](const auto& row) { return row.label > 0; });
      list.push_back({{"repeat", repeat + 1},
                      {"fold", fold + 1},
                      {"trained", split.train.size()},
                      {"validated", split.validation.size()},
                      {"tested", rows.test.size()},
                      {"tested_tumour", tumour},
                      {"tested_patients", patient_names(rows.test).size()}});
    }
  }
  return list;
}

}  // namespace clmnet::tools
