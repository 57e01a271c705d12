#pragma once

#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>

#include "tools/base/atomic_file.h"

namespace clmnet {

/// A file that is written piece by piece and is whole or absent, as AtomicFile is.
class AtomicWriter {
 public:
  /// Throws InputError as AtomicFile does, and when the temporary file cannot be made.
  explicit AtomicWriter(std::filesystem::path target);
  ~AtomicWriter();
  AtomicWriter(const AtomicWriter&) = delete;
  AtomicWriter& operator=(const AtomicWriter&) = delete;

  /// Adds `size` bytes at the end. Throws InputError with the system's reason (disk full) and what to do.
  void add(const void* bytes, std::size_t size);
  /// add() as a function that always says that all was taken, for libraries that end the program where a writer fails (LibTorch
  /// throws in a destructor): what went wrong is thrown by commit().
  std::function<std::size_t(const void*, std::size_t)> never_failing();
  /// As AtomicFile's.
  void commit();

 private:
  AtomicFile file_;
  int fd_;
  std::exception_ptr problem_;
};

}  // namespace clmnet
