#include "tools/base/system_error.h"

#include <cerrno>
#include <cstring>

#include "tools/base/error.h"

namespace clmnet {

std::string advice_on(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "; free some disk space or write elsewhere, then run again";
    case EACCES:
    case EPERM:
    case EROFS: return "; change its permissions or take another folder";
    default: return "";
  }
}

void throw_system_error(const std::filesystem::path& path, const std::string& what, int error) {
  throw InputError(path.string() + ": " + what + " (" + std::strerror(error) + ")" + advice_on(error));
}

}  // namespace clmnet
