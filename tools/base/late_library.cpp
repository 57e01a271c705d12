#include "tools/base/late_library.h"

#include <dlfcn.h>

#include "tools/base/error.h"

namespace clmnet {
namespace fs = std::filesystem;
namespace {

fs::path place_of(const std::string& file_name) {
  std::error_code ignored;
  const fs::path beside = program_path().parent_path() / file_name;
  return fs::exists(beside, ignored) ? beside : fs::path(CLMNET_BUILD_DIR) / file_name;
}

}  // namespace

fs::path program_path() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

void* load_part(const std::string& file_name) {
  // RTLD_LOCAL: a part holds its own copy of our static libraries, which must not be mixed with the program's.
  void* part = ::dlopen(place_of(file_name).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (part == nullptr) {
    const char* reason = ::dlerror();
    throw InputError(file_name + " cannot be loaded: " + (reason ? reason : "unknown reason"));
  }
  return part;
}

void* symbol_of_part(const std::string& file_name, const char* name) {
  void* found = ::dlsym(load_part(file_name), name);
  if (found == nullptr) {
    throw InputError(place_of(file_name).string() + " has no function " + name + "; it belongs to another clmnet, build both anew");
  }
  return found;
}

}  // namespace clmnet
