#include "tools/nets_part.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "tools/base/error.h"
#include "tools/base/late_library.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

constexpr const char* kPart = "clmnet-nets.so";
constexpr const char* kProgram = "clmnet-torch";
constexpr const char* kAdvice = "run tools/setup, which fetches LibTorch, then build clmnet anew";

struct Name {
  const char* name;
  const char* what;
};

constexpr Name kCommands[] = {
    {"analyze", "Heatmap, tumour outlines and features of slides"},
    {"evaluate", "Accuracy, AUC and Dice of a model on labelled images"},
    {"train", "Train the networks of a configuration and learn how they are fused"},
    {"cv", "Cross-validate training on labelled images, patient by patient, to a report that can be published"},
    {"export", "Write a model's tile classes as one TorchScript program, in the form of WSInfer's zoo"},
};

constexpr Name kBench = {"nets",
                         "Images a second of each network and of the ensemble, beside plain LibTorch modules (NCHW, float32) and the "
                         "machine's own matrix product"};

void list(CLI::App& parent, const Name& command) {
  // The arguments went to clmnet-nets.so before, unless something stood before the command.
  parent.add_subcommand(command.name, command.what)->callback([name = std::string(command.name)] {
    throw InputError("'" + name + "' must come first, its arguments after it");
  });
}

/// A thread of LibTorch that waits for the others looks 300,000 times whether they have come before it sleeps. Where something else
/// wants the cores too it looks in vain: the networks then took four times as long as with 2,000 looks (CMU-1-Small-Region, 14.3 and
/// 3.6 s at a load of 4), which are enough on idle cores (0.62 and 0.60 s). OMP_WAIT_POLICY and GOMP_SPINCOUNT go first.
void wait_briefly() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) ::setenv("GOMP_SPINCOUNT", "2000", /*overwrite=*/0);
}

/// Goes on as clmnet-torch, which lies beside clmnet, if there is one and LibTorch is there. What a program is linked with is searched
/// before what its parts bring: here Debian's reference BLAS, which OpenCV is linked with, would stand for LibTorch's own at a
/// thirtieth of its speed. clmnet-torch is linked with LibTorch first.
void go_on_with_libtorch_first(char** argv) {
  std::error_code ignored;
  const fs::path self = program_path(), program = self.parent_path() / kProgram;
  if (self == program || !fs::exists(program, ignored) || !fs::exists(CLMNET_LIBTORCH, ignored)) return;
  wait_briefly();
  ::execv(program.c_str(), argv);  // returns only when it fails; the part then runs here, more slowly
}

}  // namespace

bool names_command_of_nets(int argc, char** argv) {
  if (argc < 2) return false;
  const std::string_view first = argv[1];
  if (first == "bench") return argc > 2 && std::string_view(argv[2]) == kBench.name;
  return std::any_of(std::begin(kCommands), std::end(kCommands), [first](const Name& command) { return first == command.name; });
}

int run_command_of_nets(int argc, char** argv) {
  go_on_with_libtorch_first(argv);
  RunNets* run = nullptr;
  try {
    run = function_of_part<RunNets>(kPart, "clmnet_run_nets");
  } catch (const InputError& error) {
    std::cerr << "clmnet: '" << argv[1] << "' needs LibTorch: " << error.what() << "; " << kAdvice << '\n';
    return 1;
  }
  return run(argc, argv);
}

void list_commands_of_nets(CLI::App& app) {
  for (const Name& command : kCommands) list(app, command);
}

void list_bench_of_nets(CLI::App& bench) { list(bench, kBench); }

NetsFindings look_at_nets_part(const std::filesystem::path& model, bool needs_cuda) {
  NetsFindings findings;
  try {
    function_of_part<LookAtNets>(kPart, "clmnet_look_at_nets")(model, needs_cuda, findings);
  } catch (const InputError& error) {
    findings.libtorch = {"libraries", "LibTorch", error.what(), false, true, kAdvice};
  }
  return findings;
}

}  // namespace clmnet::tools
