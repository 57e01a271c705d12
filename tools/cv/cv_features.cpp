#include "tools/cv/cv_features.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "tools/base/error.h"
#include "wsi/h5.h"
#include "wsi/h5_writer.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

constexpr const char* kAxesNote =
    "rows of one repeat and fold are by the same networks; networks of different folds were trained apart, so a column means "
    "another "
    "feature there";

void write_texts(wsi::H5Writer& file, const char* name, const std::vector<std::string>& texts) {
  std::size_t width = 1;
  for (const auto& text : texts) width = std::max(width, text.size());
  std::string packed(width * texts.size(), '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) std::memcpy(packed.data() + i * width, texts[i].data(), texts[i].size());
  const wsi::H5Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), width);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  file.dataset(name, type.get(), texts.size(), 0, packed.data());
}

void write_wholes(wsi::H5Writer& file, const char* name, const std::vector<std::int64_t>& values) {
  file.dataset(name, H5T_NATIVE_INT64, values.size(), 0, values.data());
}

/// One file that is read array by array; every failure names file and array.
class FeatureReader {
 public:
  explicit FeatureReader(const fs::path& path) : path_(path) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) throw InputError(path.string() + ": no such file; expected the features of a fold");
    file_ = wsi::H5Id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    if (!file_) throw InputError(path.string() + ": is not HDF5 or is damaged; remove it, the same command makes it anew");
  }

  CvFeatures::Matrix matrix(const char* name) const {
    const wsi::H5Id set = open(name);
    const auto shape = shape_of(set);
    if (shape.size() != 2) fail(name, "has " + std::to_string(shape.size()) + " dimensions, expected 2");
    CvFeatures::Matrix values(static_cast<Eigen::Index>(shape[0]), static_cast<Eigen::Index>(shape[1]));
    if (values.size() > 0 && H5Dread(set.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
      fail(name, "cannot be read");
    return values;
  }

  std::vector<std::int64_t> wholes(const char* name) const {
    const wsi::H5Id set = open(name);
    std::size_t count = 1;
    for (const auto size : shape_of(set)) count *= size;
    std::vector<std::int64_t> values(count);
    if (count > 0 && H5Dread(set.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
      fail(name, "cannot be read");
    return values;
  }

  std::vector<std::string> texts(const char* name) const {
    const wsi::H5Id set = open(name);
    const wsi::H5Id type(H5Dget_type(set.get()), H5Tclose);
    const auto shape = shape_of(set);
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0 || shape.size() != 1)
      fail(name, "is no list of fixed-length texts");
    const std::size_t width = H5Tget_size(type.get());
    std::string packed(width * shape[0], '\0');
    if (shape[0] > 0 && H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()) < 0)
      fail(name, "cannot be read");
    std::vector<std::string> values;
    for (std::size_t i = 0; i < shape[0]; ++i)
      values.emplace_back(packed.data() + i * width, ::strnlen(packed.data() + i * width, width));
    return values;
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw InputError(path_.string() + ": '" + name + "' " + what + "; remove the file, the same command makes it anew");
  }

 private:
  wsi::H5Id open(const char* name) const {
    wsi::H5Id set(H5Dopen2(file_.get(), name, H5P_DEFAULT), H5Dclose);
    if (!set) fail(name, "is missing");
    return set;
  }

  static std::vector<hsize_t> shape_of(const wsi::H5Id& set) {
    const wsi::H5Id space(H5Dget_space(set.get()), H5Sclose);
    std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.get()))));
    if (!shape.empty()) H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
    return shape;
  }

  fs::path path_;
  wsi::H5Quiet quiet_;
  wsi::H5Id file_;
};

}  // namespace

CvFeatures mean_by_patient(const CvFeatures& images) {
  std::map<std::tuple<std::int64_t, std::int64_t, std::string>, std::vector<Eigen::Index>> rows;
  for (std::size_t i = 0; i < images.image.size(); ++i)
    rows[{images.repeat[i], images.fold[i], images.patient[i]}].push_back(static_cast<Eigen::Index>(i));
  CvFeatures patients;
  patients.parts = images.parts;
  patients.features.resize(static_cast<Eigen::Index>(rows.size()), images.features.cols());
  for (const auto& [key, own] : rows) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(images.features.cols());
    for (const auto row : own) sum += images.features.row(row).cast<double>();
    patients.features.row(static_cast<Eigen::Index>(patients.patient.size())) =
        (sum / static_cast<double>(own.size())).cast<float>();
    patients.repeat.push_back(std::get<0>(key));
    patients.fold.push_back(std::get<1>(key));
    patients.patient.push_back(std::get<2>(key));
    patients.image.push_back(std::to_string(own.size()));
  }
  return patients;
}

void write_cv_features(const fs::path& path, const CvFeatures& images, const CvFeatures* patients) {
  const std::lock_guard<std::mutex> lock(wsi::h5_mutex());
  wsi::H5Writer file(path);
  const auto sizes = [](const CvFeatures& part) {
    return std::pair{static_cast<hsize_t>(part.features.rows()), static_cast<hsize_t>(part.features.cols())};
  };
  const auto [rows, columns] = sizes(images);
  const wsi::H5Id set = file.dataset("features", H5T_NATIVE_FLOAT, rows, columns, images.features.data());
  file.attribute(set, "note", std::string(kAxesNote));
  write_texts(file, "image", images.image);
  write_texts(file, "patient_id", images.patient);
  write_wholes(file, "repeat", images.repeat);
  write_wholes(file, "fold", images.fold);
  std::vector<std::string> names;
  std::vector<std::int64_t> ranges;
  for (const auto& part : images.parts) {
    names.push_back(part.network);
    ranges.insert(ranges.end(), {part.begin, part.end});
  }
  write_texts(file, "part_names", names);
  file.dataset("part_columns", H5T_NATIVE_INT64, names.size(), 2, ranges.data());
  if (patients != nullptr) {
    const auto [people, width] = sizes(*patients);
    const wsi::H5Id means = file.dataset("patient_features", H5T_NATIVE_FLOAT, people, width, patients->features.data());
    file.attribute(means, "note", std::string("mean over the patient's images; ") + kAxesNote);
    write_texts(file, "patients", patients->patient);
    write_texts(file, "patient_images", patients->image);
    write_wholes(file, "patient_repeat", patients->repeat);
    write_wholes(file, "patient_fold", patients->fold);
  }
  file.commit();
}

CvFeatures read_cv_features(const fs::path& path) {
  const std::lock_guard<std::mutex> lock(wsi::h5_mutex());
  const FeatureReader file(path);
  CvFeatures out;
  out.features = file.matrix("features");
  out.image = file.texts("image");
  out.patient = file.texts("patient_id");
  out.repeat = file.wholes("repeat");
  out.fold = file.wholes("fold");
  const auto names = file.texts("part_names");
  const auto ranges = file.wholes("part_columns");
  const auto n = static_cast<std::size_t>(out.features.rows());
  for (const std::size_t size : {out.image.size(), out.patient.size(), out.repeat.size(), out.fold.size()}) {
    if (size != n) file.fail("features", "has " + std::to_string(n) + " rows, another array " + std::to_string(size));
  }
  if (ranges.size() != 2 * names.size()) file.fail("part_columns", "does not fit 'part_names'");
  for (std::size_t k = 0; k < names.size(); ++k) {
    const CvFeatures::Part part{names[k], ranges[2 * k], ranges[2 * k + 1]};
    if (part.begin < 0 || part.end < part.begin || part.end > out.features.cols())
      file.fail("part_columns", "names columns that 'features' lacks");
    out.parts.push_back(part);
  }
  return out;
}

}  // namespace clmnet::tools
