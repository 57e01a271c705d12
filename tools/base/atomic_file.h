#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace clmnet {

/// A file that is whole or absent: it is written under a temporary name in the same folder, then fsync and rename.
/// Without commit() the temporary file is removed and what stood under the name before stays.
class AtomicFile {
 public:
  /// Throws InputError when the folder is missing or may not be written.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Where to write; a library that wants a path gets this one. It keeps the target's extension.
  const std::filesystem::path& temporary() const { return temporary_; }

  const std::filesystem::path& target() const { return target_; }

  /// Makes what was written durable and gives it its name.
  /// Throws InputError with the system's reason (disk full, no permission); the target is then untouched.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  bool committed_ = false;
};

/// The whole of `bytes` under `target`, or nothing. Throws InputError as AtomicFile does.
void write_atomically(const std::filesystem::path& target, std::string_view bytes);

/// The whole file. Throws InputError when it is missing, a folder or unreadable.
std::string read_whole_file(const std::filesystem::path& path);

/// SHA-256 of a file as 64 hex digits. Throws InputError as read_whole_file does; memory stays bounded.
std::string sha256_of_file(const std::filesystem::path& path);

/// SHA-256 of bytes as 64 hex digits.
std::string sha256_of(std::string_view bytes);

}  // namespace clmnet
