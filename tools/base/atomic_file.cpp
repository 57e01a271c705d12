#include "tools/base/atomic_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <sstream>
#include <vector>

#include "tools/base/atomic_writer.h"
#include "tools/base/error.h"
#include "tools/base/system_error.h"

namespace clmnet {
namespace fs = std::filesystem;

namespace {

/// Unique within the machine, so that two runs into one folder do not write into each other's temporary file.
fs::path temporary_name(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  std::ostringstream name;
  name << '.' << target.stem().string() << '.' << ::getpid() << '-' << counter++ << ".part" << target.extension().string();
  return target.parent_path() / name.str();
}

void sync_path(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) throw_system_error(path, "cannot be opened to make it durable", errno);
  const int status = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems cannot fsync a folder; the rename is still atomic there.
  if (status != 0 && error != EINVAL && error != EROFS) throw_system_error(path, "cannot be made durable", error);
}

std::string hex(const unsigned char* bytes, unsigned count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    return hex(digest.data(), size);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

/// A file open for reading, block by block. Streams hide read errors (a bad disk, a vanished network share): read() names them.
class InputFile {
 public:
  explicit InputFile(const fs::path& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0 && errno == ENOENT) throw InputError(path.string() + ": no such file; check the path");
    if (fd_ < 0) throw_system_error(path, "cannot be opened for reading", errno);
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      ::close(fd_);
      throw InputError(path.string() + ": is a folder, expected a file");
    }
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// The next bytes, empty at the end; valid until the next call.
  std::string_view next() {
    for (;;) {
      const ssize_t n = ::read(fd_, block_.data(), block_.size());
      if (n >= 0) return {block_.data(), static_cast<std::size_t>(n)};
      if (errno != EINTR) throw_system_error(path_, "cannot be read to its end", errno);
    }
  }

 private:
  fs::path path_;
  int fd_;
  std::vector<char> block_ = std::vector<char>(1 << 20);
};

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)), temporary_(temporary_name(target_)) {
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw InputError(folder.string() + ": no such folder to write " + target_.filename().string() + " into");
  }
  if (fs::is_directory(target_, ignored)) throw InputError(target_.string() + ": is a folder, expected a file to write");
  if (::access(folder.c_str(), W_OK) != 0) throw_system_error(folder, "the folder may not be written", errno);
}

AtomicFile::~AtomicFile() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove(temporary_, ignored);
}

void AtomicFile::commit() {
  sync_path(temporary_, O_RDONLY);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw_system_error(target_, "cannot be given its name", errno);
  committed_ = true;
  sync_path(target_.has_parent_path() ? target_.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

void write_atomically(const fs::path& target, std::string_view bytes) {
  AtomicWriter file(target);
  file.add(bytes.data(), bytes.size());
  file.commit();
}

std::string read_whole_file(const fs::path& path) {
  InputFile in(path);
  std::string bytes;
  for (std::string_view block = in.next(); !block.empty(); block = in.next()) bytes += block;
  return bytes;
}

std::string sha256_of_file(const fs::path& path) {
  InputFile in(path);
  Sha256 hash;
  for (std::string_view block = in.next(); !block.empty(); block = in.next()) hash.add(block.data(), block.size());
  return hash.finish();
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.finish();
}

}  // namespace clmnet
