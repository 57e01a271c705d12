#pragma once

#include <filesystem>
#include <string>

namespace clmnet {

/// What the user can do about errno's `error`, as "; …" to stand at the end of a message; empty where nothing is known.
std::string advice_on(int error);

/// Throws InputError "path: what (the system's reason); what to do".
[[noreturn]] void throw_system_error(const std::filesystem::path& path, const std::string& what, int error);

}  // namespace clmnet
