#include "wsi/features_h5.h"

#include <algorithm>
#include <mutex>

#include "tools/base/error.h"
#include "wsi/h5.h"

namespace clmnet::wsi {
namespace fs = std::filesystem;

namespace {

struct Shape {
  std::vector<hsize_t> sizes;
  std::string text() const {
    std::string joined = "[";
    for (std::size_t i = 0; i < sizes.size(); ++i) joined.append(i == 0 ? "" : ",").append(std::to_string(sizes[i]));
    return joined.append("]");
  }
};

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) throw InputError(path.string() + ": no such file; check the path");
    if (fs::is_directory(path, ignored)) throw InputError(path.string() + ": is a folder, expected an HDF5 file");
    if (fs::file_size(path, ignored) == 0) throw InputError(path.string() + ": the file is empty, expected HDF5 with 'coords'");
    if (H5Fis_hdf5(path.c_str()) <= 0) throw InputError(path.string() + ": is not HDF5; expected tiles.h5 or features.h5");
    file_ = H5Id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    if (!file_) throw InputError(path.string() + ": HDF5 cannot be opened, is it truncated? (" + quiet_.reason() + ")");
  }

  H5Id open(const char* name) const { return H5Id(H5Dopen2(file_.get(), name, H5P_DEFAULT), H5Dclose); }

  static Shape shape(const H5Id& set) {
    const H5Id space(H5Dget_space(set.get()), H5Sclose);
    const int rank = H5Sget_simple_extent_ndims(space.get());
    Shape shape{std::vector<hsize_t>(static_cast<std::size_t>(std::max(0, rank)))};
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), shape.sizes.data(), nullptr);
    return shape;
  }

  void read(const H5Id& set, const char* name, hid_t type, void* into) const {
    const H5Id stored(H5Dget_type(set.get()), H5Tclose);
    const auto kind = H5Tget_class(stored.get());
    if (kind != H5T_INTEGER && kind != H5T_FLOAT) throw InputError(path_.string() + ": '" + name + "' does not hold numbers");
    // An array may be declared and have no bytes behind it; HDF5 would give zeros.
    const Shape extent = shape(set);
    hsize_t count = 1;
    for (const auto size : extent.sizes) count *= size;
    if (count > 0 && H5Dget_storage_size(set.get()) == 0) throw InputError(path_.string() + ": '" + name + "' was never written");
    if (count > 0 && H5Dread(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, into) < 0) {
      throw InputError(path_.string() + ": '" + name + "' cannot be read, is the file truncated? (HDF5: " + quiet_.reason() + ")");
    }
  }

  std::map<std::string, H5Value> attributes(const H5Id& set) const {
    std::map<std::string, H5Value> values;
    H5O_info_t info{};
    if (H5Oget_info2(set.get(), &info, H5O_INFO_NUM_ATTRS) < 0) return values;
    for (hsize_t i = 0; i < info.num_attrs; ++i) {
      const H5Id one(H5Aopen_by_idx(set.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
      char name[256] = "";
      H5Aget_name(one.get(), sizeof name, name);
      read_attribute(one, values[name]);
    }
    return values;
  }

 private:
  static void read_attribute(const H5Id& one, H5Value& value) {
    const H5Id type(H5Aget_type(one.get()), H5Tclose);
    const H5Id space(H5Aget_space(one.get()), H5Sclose);
    const auto count = static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space.get())));
    const bool scalar = H5Sget_simple_extent_ndims(space.get()) == 0;
    switch (H5Tget_class(type.get())) {
      case H5T_INTEGER: {
        std::vector<std::int64_t> wholes(count);
        H5Aread(one.get(), H5T_NATIVE_INT64, wholes.data());
        if (scalar && count == 1) value = wholes[0]; else value = wholes;
        break;
      }
      case H5T_FLOAT: {
        std::vector<double> numbers(count);
        H5Aread(one.get(), H5T_NATIVE_DOUBLE, numbers.data());
        if (scalar && count == 1) value = numbers[0]; else value = numbers;
        break;
      }
      case H5T_STRING: value = scalar ? read_text(one, type, space) : std::string(); break;
      default: value = std::string(); break;
    }
  }

  static std::string read_text(const H5Id& one, const H5Id& type, const H5Id& space) {
    if (H5Tis_variable_str(type.get()) > 0) {
      char* text = nullptr;
      if (H5Aread(one.get(), type.get(), &text) < 0 || text == nullptr) return {};
      const std::string copy = text;
      H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, &text);
      return copy;
    }
    std::string text(H5Tget_size(type.get()), '\0');
    H5Aread(one.get(), type.get(), text.data());
    return text.c_str();
  }

  H5Quiet quiet_;
  fs::path path_;
  H5Id file_;
};

}  // namespace

TileFeatures read_features(const fs::path& path) {
  const std::lock_guard lock(h5_mutex());
  const Reader reader(path);
  TileFeatures result;
  const H5Id coords = reader.open("coords");
  if (!coords) throw InputError(path.string() + ": no 'coords'; expected int64 [N,2], as CLAM and TRIDENT write them");
  const Shape shape = Reader::shape(coords);
  if (shape.sizes.size() != 2 || shape.sizes[1] != 2) {
    throw InputError(path.string() + ": 'coords' is " + shape.text() + ", expected [N,2]");
  }
  constexpr hsize_t kMaxRows = hsize_t{1} << 28;
  if (shape.sizes[0] > kMaxRows) throw InputError(path.string() + ": 'coords' is " + shape.text() + ", more than any slide has tiles");
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(shape.sizes[0]) * 2);
  reader.read(coords, "coords", H5T_NATIVE_INT64, numbers.data());
  for (std::size_t i = 0; i < numbers.size(); i += 2) result.coords.push_back({numbers[i], numbers[i + 1]});
  result.attributes = reader.attributes(coords);
  const H5Id features = reader.open("features");
  if (!features) return result;
  Shape found = Reader::shape(features);
  const std::string found_text = found.text();
  // TRIDENT's older files and some loaders have a leading axis of one slide.
  if (found.sizes.size() == 3 && found.sizes[0] == 1) found.sizes.erase(found.sizes.begin());
  if (found.sizes.size() != 2 || found.sizes[0] != shape.sizes[0] || found.sizes[1] < 1 || found.sizes[1] > 65536) {
    throw InputError(path.string() + ": 'features' is " + found_text + ", 'coords' is " + shape.text() + "; expected [N,F] and [N,2]");
  }
  result.features.create(static_cast<int>(found.sizes[0]), static_cast<int>(found.sizes[1]), CV_32F);
  reader.read(features, "features", H5T_NATIVE_FLOAT, result.features.data);
  return result;
}

}  // namespace clmnet::wsi
