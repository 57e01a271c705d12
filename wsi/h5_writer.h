#pragma once

#include <filesystem>
#include <string>

#include "tools/base/atomic_file.h"
#include "wsi/features_h5.h"
#include "wsi/h5.h"

namespace clmnet::wsi {

/// An HDF5 file that is whole or absent. Callers hold h5_mutex().
/// Every member throws InputError with HDF5's reason and what to do when the disk does not take it; the target is then untouched.
class H5Writer {
 public:
  explicit H5Writer(const std::filesystem::path& path);
  ~H5Writer();

  /// [rows, columns], or [rows] with columns 0.
  H5Id dataset(const char* name, hid_t type, hsize_t rows, hsize_t columns, const void* data);
  /// uint8 [0, height, width, 3] that append_image makes longer; a chunk is one image.
  H5Id image_dataset(const char* name, hsize_t height, hsize_t width);
  /// rgb  row-major [height, width, 3], becomes entry `index`, which is the present length.
  void append_image(const H5Id& set, hsize_t index, const void* rgb);
  void attribute(const H5Id& on, const std::string& name, const H5Value& value);
  void commit();

 private:
  void check(bool good, const std::string& doing) const;
  void put(const H5Id& on, const std::string& name, hid_t type, hsize_t count, const void* data);

  H5Quiet quiet_;
  std::filesystem::path path_;
  AtomicFile file_;
  H5Id h5_;
};

}  // namespace clmnet::wsi
