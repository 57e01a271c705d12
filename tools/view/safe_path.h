#pragma once

#include <filesystem>
#include <string>

namespace clmnet::tools::view {

/// The regular file `name` of `folder`, which lies in the tree `root` even when every symbolic link is followed.
/// Throws InputError when `name` is no plain file name ("..", "a/b", empty), there is no such regular file, or a link leads
/// out of the tree.
std::filesystem::path file_inside(const std::filesystem::path& root, const std::filesystem::path& folder, const std::string& name);

/// True for a name that stands for one entry of a folder and is neither hidden nor a way out of it.
bool is_plain_name(const std::string& name);

}  // namespace clmnet::tools::view
