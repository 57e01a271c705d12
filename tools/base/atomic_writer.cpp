#include "tools/base/atomic_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tools/base/system_error.h"

namespace clmnet {
namespace {

constexpr const char* kNotWritten = "cannot be written, nothing was changed";

}  // namespace

AtomicWriter::AtomicWriter(std::filesystem::path target)
    : file_(std::move(target)),
      fd_(::open(file_.temporary().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (fd_ < 0) throw_system_error(file_.target(), "cannot be written", errno);
}

AtomicWriter::~AtomicWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void AtomicWriter::add(const void* bytes, std::size_t size) {
  const auto* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t n = ::write(fd_, next, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_system_error(file_.target(), kNotWritten, n < 0 ? errno : EIO);
    next += n;
    size -= static_cast<std::size_t>(n);
  }
}

std::function<std::size_t(const void*, std::size_t)> AtomicWriter::never_failing() {
  return [this](const void* bytes, std::size_t size) {
    try {
      if (!problem_) add(bytes, size);
    } catch (...) {
      problem_ = std::current_exception();
    }
    return size;
  };
}

void AtomicWriter::commit() {
  if (problem_) std::rethrow_exception(problem_);
  if (::close(std::exchange(fd_, -1)) != 0) throw_system_error(file_.target(), kNotWritten, errno);
  file_.commit();
}

}  // namespace clmnet
