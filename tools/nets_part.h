#pragma once

#include "tools/commands.h"
#include "tools/doctor.h"

// The commands of networks are in clmnet-nets.so, which is linked with LibTorch; the program loads it for them alone, because
// LibTorch takes 0.3 s to load.
namespace clmnet::tools {

/// Whether the arguments begin with a command of clmnet-nets.so ("analyze", "bench nets").
bool names_command_of_nets(int argc, char** argv);

/// Runs that command there and returns its exit status; 1 with a message where clmnet-nets.so or LibTorch cannot be loaded.
int run_command_of_nets(int argc, char** argv);

/// Their names and what they do, for the list under --help; a test compares the words with the commands' own.
void list_commands_of_nets(CLI::App& app);
void list_bench_of_nets(CLI::App& bench);

/// What doctor finds of LibTorch, GPU and model. Without clmnet-nets.so or LibTorch, one finding says why.
NetsFindings look_at_nets_part(const std::filesystem::path& model, bool needs_cuda);

/// What clmnet-nets.so exports under its C name clmnet_run_nets, clmnet_look_at_nets.
using RunNets = int(int argc, char** argv);
using LookAtNets = void(const std::filesystem::path& model, bool needs_cuda, NetsFindings& findings);

}  // namespace clmnet::tools
