#include "nets/training/folds.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "nets/training/random.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

/// Each patient's class: the highest of his images.
std::map<std::string, int> classes_of_patients(const std::vector<ManifestRow>& rows) {
  std::map<std::string, int> classes;
  std::size_t nameless = 0;
  for (const auto& row : rows) {
    if (row.patient.empty()) {
      ++nameless;
      continue;
    }
    int& label = classes.try_emplace(row.patient, row.label).first->second;
    label = std::max(label, row.label);
  }
  if (nameless > 0) {
    throw InputError(std::to_string(nameless) + " of " + std::to_string(rows.size()) +
                     " images have no patient_id, so their patients cannot be kept in one fold; give patient_id, or name their " +
                     "manifest with --train-manifest (trained on in every fold, never tested)");
  }
  return classes;
}

std::vector<int> folds_of_rows(const std::vector<ManifestRow>& rows, const std::map<std::string, int>& fold_of_patient) {
  std::vector<int> folds;
  for (const auto& row : rows) folds.push_back(fold_of_patient.at(row.patient));
  return folds;
}

}  // namespace

std::vector<int> make_folds(const std::vector<ManifestRow>& rows, int folds, std::uint64_t seed,
                            const std::map<std::string, int>& events) {
  if (folds < 2) throw InputError(std::to_string(folds) + " folds, expected at least 2");
  std::map<int, std::vector<std::string>> patients_of_class;
  for (const auto& [patient, label] : classes_of_patients(rows)) patients_of_class[label].push_back(patient);
  std::map<std::string, int> fold_of_patient;
  int next = 0;  // goes on from class to class, so that no fold gets the surplus of all
  for (auto& [label, patients] : patients_of_class) {
    if (patients.size() < static_cast<std::size_t>(folds)) {
      throw InputError("class " + std::to_string(label) + " has " + std::to_string(patients.size()) + " patients, fewer than " +
                       std::to_string(folds) + " folds; give fewer --folds or more patients");
    }
    Random random(mix_seed(seed, static_cast<std::uint64_t>(label + 1)));
    random.shuffle(patients);
    const auto stratum = [&](const std::string& patient) {
      const auto event = events.find(patient);
      return event == events.end() ? -1 : event->second;
    };
    std::stable_sort(patients.begin(), patients.end(), [&](const auto& a, const auto& b) { return stratum(a) < stratum(b); });
    for (const auto& patient : patients) fold_of_patient[patient] = next++ % folds;
  }
  return folds_of_rows(rows, fold_of_patient);
}

std::vector<int> read_folds(const std::filesystem::path& file, const std::vector<ManifestRow>& rows) {
  const CsvTable table = CsvTable::read(file);
  const std::size_t patient_column = table.column("patient_id"), fold_column = table.column("fold");
  std::map<std::string, int> fold_of_patient;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const double fold = table.number(i, fold_column);
    if (fold < 1 || fold > 1000 || fold != static_cast<int>(fold)) {
      throw InputError(table.where(i, fold_column) + ": fold " + table.cell(i, fold_column) + ", expected a whole number from 1");
    }
    const std::string& patient = table.cell(i, patient_column);
    const auto [it, added] = fold_of_patient.emplace(patient, static_cast<int>(fold) - 1);
    if (!added && it->second != static_cast<int>(fold) - 1) {
      throw InputError(table.where(i, fold_column) + ": patient '" + patient + "' is in fold " + std::to_string(it->second + 1) +
                       " and in fold " + std::to_string(static_cast<int>(fold)) + "; a patient belongs to one fold");
    }
  }
  std::set<int> used;
  for (const auto& [patient, label] : classes_of_patients(rows)) {
    const auto it = fold_of_patient.find(patient);
    if (it == fold_of_patient.end())
      throw InputError(file.string() + ": patient '" + patient + "' of the manifest has no fold there");
    used.insert(it->second);
  }
  const int count = used.empty() ? 0 : *used.rbegin() + 1;
  if (count < 2 || static_cast<int>(used.size()) != count) {
    throw InputError(file.string() + ": the manifest's patients use " + std::to_string(used.size()) + " folds of 1 to " +
                     std::to_string(count) + "; expected at least two, and none of them empty");
  }
  return folds_of_rows(rows, fold_of_patient);
}

}  // namespace clmnet::nets
