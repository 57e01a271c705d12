#pragma once

#include <optional>
#include <string>

namespace clmnet::tools {

/// The git commit of the source tree that the program was built from, 40 hex digits, with "-dirty" where tracked files differ
/// from it now. Nothing where the tree is gone, is no repository, or git is not installed.
std::optional<std::string> source_commit();

}  // namespace clmnet::tools
