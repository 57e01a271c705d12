#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "tools/commands.h"
#include "tools/doctor.h"
#ifdef CLMNET_HAS_NETS
#include "tools/nets_part.h"
#endif

namespace clmnet::tools {
namespace {

struct Args {
  std::filesystem::path model;
  std::string device = "auto";
};

NetsFindings look_at_nets([[maybe_unused]] const Args& args) {
#ifdef CLMNET_HAS_NETS
  return look_at_nets_part(args.model, args.device == "cuda");
#else
  return {{"libraries", "LibTorch", "this build has no networks", false, true, "run tools/setup and configure with -DCLMNET_WITH_NETS=ON"},
          {}};
#endif
}

int run_doctor(const Args& args, const Session& session) {
  std::vector<Finding> findings = look_at_libraries();
  NetsFindings nets = look_at_nets(args);
  findings.push_back(std::move(nets.libtorch));
  findings.push_back(look_at_gnuplot());
  for (Finding& finding : look_at_processor()) findings.push_back(std::move(finding));
  for (Finding& finding : nets.others) findings.push_back(std::move(finding));
  findings.push_back(look_at_data());
  if (session.json) {
    print_json(to_json(findings));
  } else {
    std::cout << to_text(findings);
    std::cout << (all_well(findings) ? "\nAll that is needed is there.\n" : "\nSomething that is needed is missing, see above.\n");
  }
  return all_well(findings) ? 0 : 1;
}

}  // namespace

void add_doctor(CLI::App& app, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(app, session, "doctor", "What this installation has, what is missing and how to get it; status 1 when something is",
                  "clmnet doctor --device cuda", [args, &session] { return run_doctor(*args, session); });
  command->add_option("--model", args->model, "Model folder to look at; default: the one that comes with clmnet");
  command->add_option("--device", args->device, "With cuda a usable GPU counts as needed")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
}

}  // namespace clmnet::tools
