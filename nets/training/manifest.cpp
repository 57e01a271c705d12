#include "nets/training/manifest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "nets/training/random.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;

namespace {

int read_label(const CsvTable& table, std::size_t row, std::size_t column, std::int64_t classes) {
  const std::string& text = table.cell(row, column);
  if (text.empty()) return -1;
  const auto value = parse_number(text);
  if (!value || *value != std::floor(*value) || *value < -1 || *value >= static_cast<double>(classes)) {
    throw InputError(table.where(row, column) + ": '" + text + "', expected a class from 0 to " +
                     std::to_string(classes - 1) + ", or -1 or nothing where it is unknown");
  }
  return static_cast<int>(*value);
}

/// One CSV, row by row.
class ManifestFile {
 public:
  ManifestFile(const fs::path& file, std::int64_t classes, SlideRows slides)
      : folder_(file.parent_path()), table_(CsvTable::read(file)), classes_(classes), slides_(slides) {
    slide_ = table_.find("slide");
    if (slide_) annotation_ = table_.column("annotation");
    if (!slide_ || table_.find("image")) {
      image_ = table_.column("image");
      label_ = table_.column("tumour");
    }
    mask_ = table_.find("mask");
    patient_ = table_.find("patient_id");
    diagnosis_ = table_.find("diagnosis");
    um_per_px_ = table_.find("um_per_px");
  }

  std::size_t rows() const { return table_.rows(); }

  ManifestRow row(std::size_t i) const {
    ManifestRow row;
    row.patient = text(i, patient_);
    row.diagnosis = text(i, diagnosis_);
    const bool slide = !text(i, slide_).empty();
    if (slide && !text(i, image_).empty()) {
      throw InputError(table_.where(i, *slide_) + ": the row names an image too; give one of the two");
    }
    if (slide) {
      row.slide = source(i);
      row.image = row.slide->slide;
    } else {
      row.image = existing(i, image_ ? *image_ : *slide_);
      if (!text(i, mask_).empty()) row.mask = existing(i, *mask_);
      row.label = read_label(table_, i, *label_, classes_);
      if (const double um = um_per_px(i); um > 0 && slides_ == SlideRows::keep) row.cut = ImageSource{row.image, um};
    }
    return row;
  }

 private:
  std::string text(std::size_t row, std::optional<std::size_t> column) const {
    return column ? table_.cell(row, *column) : std::string();
  }

  fs::path existing(std::size_t row, std::size_t column) const {
    const fs::path path = folder_ / table_.cell(row, column);
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      throw InputError(table_.where(row, column) + ": " + path.string() + ": no such file; paths are relative to the manifest");
    }
    return path;
  }

  SlideSource source(std::size_t i) const {
    if (slides_ == SlideRows::refuse) {
      throw InputError(table_.where(i, *slide_) + ": a slide, expected images here; `clmnet tile --annotations` makes them of slides");
    }
    if (text(i, annotation_).empty()) {
      throw InputError(table_.where(i, *annotation_) + ": is empty, expected the slide's annotation; an empty FeatureCollection says " +
                       "that nothing is there");
    }
    SlideSource found;
    found.slide = existing(i, *slide_);
    found.annotation = existing(i, *annotation_);
    found.um_per_px = um_per_px(i);
    return found;
  }

  /// 0 where the file says nothing.
  double um_per_px(std::size_t i) const {
    if (text(i, um_per_px_).empty()) return 0;
    const double um = table_.number(i, *um_per_px_);
    if (!(um >= 0.01 && um <= 50)) {
      throw InputError(table_.where(i, *um_per_px_) + ": " + text(i, um_per_px_) + ", expected 0.01 to 50 µm/px, or nothing");
    }
    return um;
  }

  fs::path folder_;
  CsvTable table_;
  std::int64_t classes_;
  SlideRows slides_;
  std::optional<std::size_t> image_, label_, slide_, annotation_, mask_, patient_, diagnosis_, um_per_px_;
};

}  // namespace

std::vector<ManifestRow> read_manifests(const std::vector<fs::path>& files, std::int64_t classes, SlideRows slides) {
  std::vector<ManifestRow> rows;
  for (const auto& file : files) {
    const ManifestFile manifest(file, classes, slides);
    if (manifest.rows() == 0) throw InputError(file.string() + ": no rows below the header");
    for (std::size_t i = 0; i < manifest.rows(); ++i) rows.push_back(manifest.row(i));
  }
  if (rows.empty()) throw InputError("no manifest given; give --manifest FILE");
  return rows;
}

torch::Tensor tumour_mask(const ManifestRow& row, const torch::Tensor& lesion) {
  if (!lesion.defined() || row.label < 0) return {};
  if (row.label == 0) return torch::zeros_like(lesion);
  return lesion.gt(0).to(torch::kUInt8);
}

Split split_by_patient(const std::vector<ManifestRow>& rows, double validation_fraction, double test_fraction, std::uint64_t seed) {
  if (!(validation_fraction > 0 && test_fraction >= 0 && validation_fraction + test_fraction < 1)) {
    throw InputError("validation and test fraction " + std::to_string(validation_fraction) + " and " +
                     std::to_string(test_fraction) + ", expected above 0 and from 0, together below 1");
  }
  std::map<std::string, int> class_of_patient;
  for (const auto& row : rows) {
    if (row.patient.empty()) continue;
    auto& label = class_of_patient.try_emplace(row.patient, -1).first->second;
    label = std::max(label, row.label);
  }
  std::map<int, std::vector<std::string>> patients_of_class;
  for (const auto& [patient, label] : class_of_patient) patients_of_class[label].push_back(patient);

  std::set<std::string> validated, tested;
  for (auto& [label, patients] : patients_of_class) {
    Random random(mix_seed(seed, static_cast<std::uint64_t>(label + 1)));
    random.shuffle(patients);
    const auto count_of = [&](double share) { return std::llround(share * static_cast<double>(patients.size())); };
    const auto first = patients.begin() + count_of(test_fraction);
    tested.insert(patients.begin(), first);
    validated.insert(first, patients.begin() + count_of(validation_fraction + test_fraction));
  }
  Split split;
  std::map<int, std::pair<int, int>> counts;  // class -> rows trained on, rows validated on
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].patient.empty() && tested.contains(rows[i].patient)) {
      split.test.push_back(i);
      continue;
    }
    const bool validate = !rows[i].patient.empty() && validated.contains(rows[i].patient);
    (validate ? split.validation : split.train).push_back(i);
    auto& count = counts[rows[i].label];
    ++(validate ? count.second : count.first);
  }
  for (const auto& [label, count] : counts) {
    if (label >= 0 && (count.first == 0 || count.second == 0)) {
      throw InputError("class " + std::to_string(label) + " has " + std::to_string(count.first) + " images to train and " +
                       std::to_string(count.second) + " to validate on; both parts need some, split by patient_id: give " +
                       "more patients or another validation fraction");
    }
  }
  return split;
}

}  // namespace clmnet::nets
