#include "tools/view/safe_path.h"

#include <algorithm>

#include "tools/base/error.h"

namespace clmnet::tools::view {

namespace fs = std::filesystem;

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos && name.find('\\') == std::string::npos &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

fs::path file_inside(const fs::path& root, const fs::path& folder, const std::string& name) {
  if (!is_plain_name(name)) throw InputError("'" + name + "' is no plain file name; nothing outside " + root.string() + " is read");
  std::error_code error;
  const fs::path tree = fs::canonical(root, error);
  if (error) throw InputError(root.string() + ": no such folder (" + error.message() + ")");
  const fs::path file = fs::canonical(folder / name, error);
  if (error) throw InputError((folder / name).string() + ": no such file");
  const auto [end, rest] = std::mismatch(tree.begin(), tree.end(), file.begin(), file.end());
  if (end != tree.end() || rest == file.end()) {
    throw InputError((folder / name).string() + ": is a link out of " + root.string() + "; it is not followed, give the real folder");
  }
  if (!fs::is_regular_file(file, error)) throw InputError((folder / name).string() + ": is no regular file");
  return file;
}

}  // namespace clmnet::tools::view
