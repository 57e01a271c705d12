#include "nets/checkpoint/zip_reader.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

static_assert(std::endian::native == std::endian::little, "zip is little-endian");

constexpr std::uint32_t kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50, kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20, kCentralBytes = 46, kLocalBytes = 30;
constexpr std::uint64_t kMaxCommentBytes = 65535;
constexpr std::uint64_t kMaxDirectoryBytes = 64ull << 20;  // a checkpoint has some thousand entries of a hundred bytes
constexpr std::uint32_t kIn64 = 0xffffffff;                // the value stands in the zip64 field

template <typename T>
T number(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);  // callers have checked the length
  return value;
}

/// Reads the 64-bit values of a zip64 extra field in the order of the 32-bit ones that overflowed.
class Zip64Field {
 public:
  explicit Zip64Field(std::string_view extra) {
    while (extra.size() >= 4) {
      const auto id = number<std::uint16_t>(extra, 0);
      const std::size_t size = number<std::uint16_t>(extra, 2);
      if (size > extra.size() - 4) return;
      if (id == 1) field_ = extra.substr(4, size);
      extra.remove_prefix(4 + size);
    }
  }
  /// `value` itself, or where it is the mark the next of the field; false when the field ends.
  bool widen(std::uint32_t value, std::uint64_t& wide) {
    wide = value;
    if (value != kIn64) return true;
    if (field_.size() < 8) return false;
    wide = number<std::uint64_t>(field_, 0);
    field_.remove_prefix(8);
    return true;
  }

 private:
  std::string_view field_;
};

}  // namespace

void ZipReader::refuse(const std::string& found) const {
  throw InputError(where_ + ": " + found + "; expected a zip file as torch.save writes it (PyTorch 1.6 and later)");
}

ZipReader::ZipReader(const std::filesystem::path& path) : where_(path.string()) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) throw InputError(where_ + ": no such file; expected a .pth file");
  file_bytes_ = std::filesystem::file_size(path);
  in_.open(path, std::ios::binary);
  if (!in_) throw InputError(where_ + ": cannot be read: " + std::strerror(errno));
  parse_directory(find_directory());
}

void ZipReader::read_at(std::uint64_t offset, void* to, std::uint64_t bytes) {
  if (offset > file_bytes_ || bytes > file_bytes_ - offset) {
    refuse("bytes " + std::to_string(offset) + " and on are wanted, the file has " + std::to_string(file_bytes_));
  }
  in_.clear();
  in_.seekg(static_cast<std::streamoff>(offset));
  if (bytes > 0 && !in_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes))) {
    throw InputError(where_ + ": reading failed: " + std::strerror(errno));
  }
}

void ZipReader::read(const Entry& entry, void* to) { read_at(entry.offset, to, entry.bytes); }

std::string ZipReader::read_text(const Entry& entry) {
  std::string bytes(entry.bytes, '\0');
  read(entry, bytes.data());
  return bytes;
}

ZipReader::Directory ZipReader::find_directory() {
  if (file_bytes_ < kEndBytes) refuse("has " + std::to_string(file_bytes_) + " bytes");
  const std::uint64_t tail_bytes = std::min(file_bytes_, kEndBytes + kMaxCommentBytes);
  const std::uint64_t tail_offset = file_bytes_ - tail_bytes;
  std::string tail(tail_bytes, '\0');
  read_at(tail_offset, tail.data(), tail_bytes);
  std::size_t at = tail_bytes - kEndBytes;
  while (number<std::uint32_t>(tail, at) != kEndSignature) {
    if (at-- == 0) refuse("is not a zip file, or is cut short");
  }
  const std::uint64_t end_offset = tail_offset + at;
  Directory directory{number<std::uint32_t>(tail, at + 16), number<std::uint32_t>(tail, at + 12),
                      number<std::uint16_t>(tail, at + 10)};
  if (number<std::uint16_t>(tail, at + 4) != number<std::uint16_t>(tail, at + 6)) refuse("spans several disks");
  if (end_offset >= kLocatorBytes) {
    std::string locator(kLocatorBytes, '\0');
    read_at(end_offset - kLocatorBytes, locator.data(), kLocatorBytes);
    if (number<std::uint32_t>(locator, 0) == kLocator64Signature) {
      std::string end64(kEnd64Bytes, '\0');
      read_at(number<std::uint64_t>(locator, 8), end64.data(), kEnd64Bytes);
      if (number<std::uint32_t>(end64, 0) != kEnd64Signature) refuse("has a zip64 locator that leads nowhere");
      directory = {number<std::uint64_t>(end64, 48), number<std::uint64_t>(end64, 40),
                   number<std::uint64_t>(end64, 32)};
    }
  }
  if (directory.bytes > kMaxDirectoryBytes || directory.count > directory.bytes / kCentralBytes) {
    refuse("says it has " + std::to_string(directory.count) + " entries in a directory of " +
           std::to_string(directory.bytes) + " bytes");
  }
  return directory;
}

void ZipReader::parse_directory(const Directory& directory) {
  if (directory.offset > file_bytes_ || directory.bytes > file_bytes_ - directory.offset) {
    refuse("its directory lies outside the file");
  }
  std::string bytes(directory.bytes, '\0');
  read_at(directory.offset, bytes.data(), directory.bytes);
  std::string_view rest = bytes;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    if (rest.size() < kCentralBytes || number<std::uint32_t>(rest, 0) != kCentralSignature) {
      refuse("its directory ends at entry " + std::to_string(i) + " of " + std::to_string(directory.count));
    }
    const std::size_t name_bytes = number<std::uint16_t>(rest, 28), extra_bytes = number<std::uint16_t>(rest, 30);
    const std::size_t comment_bytes = number<std::uint16_t>(rest, 32);
    if (name_bytes + extra_bytes + comment_bytes > rest.size() - kCentralBytes) refuse("its directory is cut short");
    const std::string name(rest.substr(kCentralBytes, name_bytes));
    if ((number<std::uint16_t>(rest, 8) & 1) != 0) refuse("entry '" + name + "' is encrypted");
    if (number<std::uint16_t>(rest, 10) != 0) refuse("entry '" + name + "' is compressed");
    Zip64Field wide(rest.substr(kCentralBytes + name_bytes, extra_bytes));
    std::uint64_t stored = 0, compressed = 0, local_header = 0;
    if (!wide.widen(number<std::uint32_t>(rest, 24), stored) ||
        !wide.widen(number<std::uint32_t>(rest, 20), compressed) ||
        !wide.widen(number<std::uint32_t>(rest, 42), local_header)) {
      refuse("entry '" + name + "' lacks its zip64 sizes");
    }
    if (stored != compressed) refuse("entry '" + name + "' is stored but has two sizes");
    const Entry entry{data_offset(name, local_header), stored};
    if (entry.bytes > file_bytes_ - entry.offset) refuse("entry '" + name + "' ends behind the file");
    if (!entries_.emplace(name, entry).second) refuse("entry '" + name + "' stands twice");
    rest.remove_prefix(kCentralBytes + name_bytes + extra_bytes + comment_bytes);
  }
}

std::uint64_t ZipReader::data_offset(const std::string& name, std::uint64_t local_header) {
  std::string header(kLocalBytes, '\0');
  read_at(local_header, header.data(), kLocalBytes);
  if (number<std::uint32_t>(header, 0) != kLocalSignature) refuse("entry '" + name + "' has no header of its own");
  const std::uint64_t offset =
      local_header + kLocalBytes + number<std::uint16_t>(header, 26) + number<std::uint16_t>(header, 28);
  if (offset > file_bytes_) refuse("entry '" + name + "' begins behind the file");
  return offset;
}

}  // namespace clmnet::nets
