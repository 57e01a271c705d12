#pragma once

#include <filesystem>
#include <string>

namespace clmnet {

/// The file that the running program was started from; empty where the system does not say.
std::filesystem::path program_path();

/// A part of clmnet that is a shared library of its own and is loaded when it is first asked for: what it is linked with
/// (LibTorch takes 0.3 s) then costs nothing where it is not used. It lies beside the program, else in the folder of the build.
/// file_name   "clmnet-nets.so"
/// Throws      InputError with the loader's reason when it or a library that it needs is missing.
/// It stays loaded until the program ends. Any thread may call it.
void* load_part(const std::string& file_name);

/// A function of a part by its C name. Throws InputError as load_part does, or when the part lacks it.
void* symbol_of_part(const std::string& file_name, const char* name);

template <typename Function>
Function* function_of_part(const std::string& file_name, const char* name) {
  return reinterpret_cast<Function*>(symbol_of_part(file_name, name));
}

}  // namespace clmnet
