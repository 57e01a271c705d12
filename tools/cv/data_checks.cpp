#include "tools/cv/data_checks.h"

#include <cmath>
#include <map>
#include <set>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/command.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

/// The file that a cell names, or nothing and a problem.
fs::path scanned_file(const CsvTable& table, std::size_t row, std::size_t column, const fs::path& folder, Problems& problems) {
  if (table.cell(row, column).empty()) return {};
  const fs::path path = folder / table.cell(row, column);
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  problems.push_back(table.where(row, column) + ": " + path.string() + ": no such file; paths are relative to the manifest");
  return {};
}

int scanned_label(const CsvTable& table, std::size_t row, std::size_t column, std::int64_t classes, Problems& problems) {
  const std::string& text = table.cell(row, column);
  if (text.empty()) return -1;
  const auto value = parse_number(text);
  if (value && *value == std::floor(*value) && *value >= -1 && *value < static_cast<double>(classes))
    return static_cast<int>(*value);
  problems.push_back(table.where(row, column) + ": '" + text + "', expected a class from 0 to " + std::to_string(classes - 1) +
                     ", or -1 or nothing where it is unknown");
  return -1;
}

void scan_manifest(const fs::path& file, std::int64_t classes, std::vector<nets::ManifestRow>& rows, Problems& problems) {
  const CsvTable table = CsvTable::read(file);
  const auto image = table.find("image"), mask = table.find("mask"), patient = table.find("patient_id"),
             label = table.find("tumour");
  for (const char* other : {"slide", "annotation"}) {
    const auto column = table.find(other);
    for (std::size_t i = 0; column && i < table.rows(); ++i) scanned_file(table, i, *column, file.parent_path(), problems);
  }
  for (std::size_t i = 0; image && i < table.rows(); ++i) {
    nets::ManifestRow row;
    row.image = scanned_file(table, i, *image, file.parent_path(), problems);
    if (mask) row.mask = scanned_file(table, i, *mask, file.parent_path(), problems);
    if (patient) row.patient = table.cell(i, *patient);
    if (label) row.label = scanned_label(table, i, *label, classes, problems);
    if (!row.image.empty()) rows.push_back(std::move(row));
  }
}

std::string hash_of_pixels(const torch::Tensor& rgb) {
  const std::string size = std::to_string(rgb.size(1)) + "x" + std::to_string(rgb.size(0)) + ":";
  return size + sha256_of({static_cast<const char*>(rgb.data_ptr()), static_cast<std::size_t>(rgb.numel())});
}

std::string owner(const nets::ManifestRow& row) {
  return row.patient.empty() ? "of no known patient" : "of patient '" + row.patient + "'";
}

}  // namespace

std::vector<nets::ManifestRow> scan_manifests(const std::vector<std::string>& files, std::int64_t classes, Problems& problems) {
  std::vector<nets::ManifestRow> rows;
  for (const auto& file : files) {
    try {
      scan_manifest(file, classes, rows, problems);
    } catch (const InputError& error) {
      problems.emplace_back(error.what());
    }
  }
  return rows;
}

std::size_t check_pixels(const std::vector<const std::vector<nets::ManifestRow>*>& parts, const std::vector<std::string>& names,
                         const nets::ImageLoader& load, Problems& problems, ProgressBar& bar) {
  struct Seen {
    const nets::ManifestRow* row;
    std::size_t part;
  };
  std::map<std::string, Seen> seen;
  std::size_t copies = 0, done = 0, total = 0;
  for (const auto* rows : parts) total += rows->size();
  for (std::size_t part = 0; part < parts.size(); ++part) {
    for (const auto& row : *parts[part]) {
      stop_if_interrupted("nothing was trained yet");
      bar.update("checking images", ++done, total, "images");
      try {
        const auto [it, fresh] = seen.emplace(hash_of_pixels(load(row).rgb), Seen{&row, part});
        if (fresh) continue;
        const auto& [first, first_part] = it->second;
        if (first_part == part && first->patient == row.patient) {
          ++copies;
          continue;
        }
        problems.push_back(row.image.string() + ": " + owner(row) + " in " + names[part] + ", has the same pixels as " +
                           first->image.string() + ", " + owner(*first) + " in " + names[first_part] +
                           "; take one of the two out");
      } catch (const InputError& error) {
        problems.emplace_back(error.what());
      }
    }
  }
  return copies;
}

void check_apart(const std::vector<nets::ManifestRow>& a, const std::vector<nets::ManifestRow>& b, const std::string& sides,
                 Problems& problems) {
  std::set<std::string> patients, named;
  for (const auto& row : a) patients.insert(row.patient);
  for (const auto& row : b) {
    if (row.patient.empty() || !patients.contains(row.patient) || !named.insert(row.patient).second) continue;
    problems.push_back(row.image.string() + ": patient '" + row.patient + "' is in " + sides +
                       "; a patient belongs to one side of a split");
  }
}

void throw_problems(const Problems& problems) {
  if (problems.empty()) return;
  std::string text = std::to_string(problems.size()) + (problems.size() == 1 ? " problem" : " problems") +
                     " with the data, nothing was trained:";
  for (const auto& problem : problems) text += "\n  " + problem;
  throw InputError(text);
}

}  // namespace clmnet::tools
