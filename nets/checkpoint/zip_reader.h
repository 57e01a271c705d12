#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace clmnet::nets {

/// Reads the stored (not compressed) entries of a zip file, as torch.save writes them: zip64 records, entries padded to
/// 64 bytes.  PKWARE APPNOTE 6.3.9, 4.3 and 4.5.3. The archive is data: every offset and length is checked against the
/// file's size before anything is read.
class ZipReader {
 public:
  struct Entry {
    std::uint64_t offset = 0;  ///< of the bytes themselves, from the start of the file
    std::uint64_t bytes = 0;
  };

  /// Throws InputError when the file is missing, not a zip file, cut short, spans disks, encrypts or compresses an
  /// entry, names one twice, or says anything that leads outside the file.
  explicit ZipReader(const std::filesystem::path& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// The entry's bytes into memory of that size. Throws InputError when reading fails.
  void read(const Entry& entry, void* to);
  std::string read_text(const Entry& entry);

 private:
  void read_at(std::uint64_t offset, void* to, std::uint64_t bytes);
  [[noreturn]] void refuse(const std::string& found) const;

  std::string where_;
  std::ifstream in_;
  std::uint64_t file_bytes_ = 0;
  std::map<std::string, Entry> entries_;

  struct Directory {
    std::uint64_t offset = 0, bytes = 0, count = 0;
  };
  Directory find_directory();
  void parse_directory(const Directory& directory);
  std::uint64_t data_offset(const std::string& name, std::uint64_t local_header);
};

}  // namespace clmnet::nets
