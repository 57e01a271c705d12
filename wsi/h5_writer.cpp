#include "wsi/h5_writer.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "tools/base/error.h"
#include "tools/base/system_error.h"

namespace clmnet::wsi {

H5Writer::H5Writer(const std::filesystem::path& path) : path_(path), file_(path) {
  h5_ = H5Id(H5Fcreate(file_.temporary().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  check(static_cast<bool>(h5_), "created");
}

H5Writer::~H5Writer() {
  // A file that HDF5 cannot close stays open until the program ends; empty, it does not keep the disk full.
  if (h5_.close()) return;
  std::error_code ignored;
  std::filesystem::resize_file(file_.temporary(), 0, ignored);
}

H5Id H5Writer::dataset(const char* name, hid_t type, hsize_t rows, hsize_t columns, const void* data) {
  const hsize_t shape[2] = {rows, columns};
  const H5Id space(H5Screate_simple(columns == 0 ? 1 : 2, shape, nullptr), H5Sclose);
  // Without times the same content is the same bytes.
  const H5Id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  H5Id set(H5Dcreate2(h5_.get(), name, type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Dclose);
  check(static_cast<bool>(set), std::string("given '") + name + "'");
  if (rows > 0) check(H5Dwrite(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, std::string("given '") + name + "'");
  return set;
}

H5Id H5Writer::image_dataset(const char* name, hsize_t height, hsize_t width) {
  const hsize_t none[4] = {0, height, width, 3}, any[4] = {H5S_UNLIMITED, height, width, 3}, chunk[4] = {1, height, width, 3};
  const H5Id space(H5Screate_simple(4, none, any), H5Sclose);
  const H5Id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_chunk(creation.get(), 4, chunk);
  H5Id set(H5Dcreate2(h5_.get(), name, H5T_NATIVE_UINT8, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Dclose);
  check(static_cast<bool>(set), std::string("given '") + name + "'");
  return set;
}

void H5Writer::append_image(const H5Id& set, hsize_t index, const void* rgb) {
  std::array<hsize_t, 4> shape{};
  {
    const H5Id space(H5Dget_space(set.get()), H5Sclose);
    H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
  }
  shape[0] = index + 1;
  check(H5Dset_extent(set.get(), shape.data()) >= 0, "given another image");
  const H5Id space(H5Dget_space(set.get()), H5Sclose);
  const hsize_t start[4] = {index, 0, 0, 0}, count[4] = {1, shape[1], shape[2], 3};
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, count, nullptr);
  const H5Id memory(H5Screate_simple(4, count, nullptr), H5Sclose);
  check(H5Dwrite(set.get(), H5T_NATIVE_UINT8, memory.get(), space.get(), H5P_DEFAULT, rgb) >= 0, "given another image");
}

void H5Writer::attribute(const H5Id& on, const std::string& name, const H5Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const H5Id type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const char* pointer = text->c_str();
    put(on, name, type.get(), 0, &pointer);
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    put(on, name, H5T_NATIVE_INT64, 0, whole);
  } else if (const auto* number = std::get_if<double>(&value)) {
    put(on, name, H5T_NATIVE_DOUBLE, 0, number);
  } else if (const auto* wholes = std::get_if<std::vector<std::int64_t>>(&value)) {
    put(on, name, H5T_NATIVE_INT64, wholes->size(), wholes->data());
  } else {
    const auto& numbers = std::get<std::vector<double>>(value);
    put(on, name, H5T_NATIVE_DOUBLE, numbers.size(), numbers.data());
  }
}

void H5Writer::commit() {
  check(H5Fflush(h5_.get(), H5F_SCOPE_LOCAL) >= 0 && h5_.close(), "finished");
  file_.commit();
}

void H5Writer::check(bool good, const std::string& doing) const {
  if (good) return;
  const std::string reason = quiet_.reason();
  std::string advice;
  for (const int error : {ENOSPC, EDQUOT, EFBIG, EACCES, EPERM, EROFS}) {
    if (reason == std::strerror(error)) advice = advice_on(error);
  }
  throw InputError(path_.string() + ": cannot be " + doing + ", nothing was changed (HDF5: " + reason + ")" + advice);
}

void H5Writer::put(const H5Id& on, const std::string& name, hid_t type, hsize_t count, const void* data) {
  const H5Id space(count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr), H5Sclose);
  const H5Id set(H5Acreate2(on.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  check(set && H5Awrite(set.get(), type, data) >= 0, "given the attribute '" + name + "'");
}

}  // namespace clmnet::wsi
