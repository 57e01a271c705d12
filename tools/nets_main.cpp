// clmnet-nets.so: the commands of networks with LibTorch, as a program of their own that lives in the program's process.
#include "tools/default_model.h"
#include "tools/nets_part.h"
#include "tools/program.h"

namespace clmnet::tools {
namespace {

void add_commands_of_nets(CLI::App& app, Session& session) {
  add_analyze(app, session);
  add_evaluate(app, session);
  add_train(app, session);
  add_cv(app, session);
  add_export(app, session);
  CLI::App* bench = app.add_subcommand("bench");
  bench->require_subcommand(1);
  add_bench_nets(*bench, session);
}

}  // namespace
}  // namespace clmnet::tools

extern "C" int clmnet_run_nets(int argc, char** argv) {
  return clmnet::tools::run_program(argc, argv, clmnet::tools::add_commands_of_nets);
}

extern "C" void clmnet_look_at_nets(const std::filesystem::path& model, bool needs_cuda, clmnet::tools::NetsFindings& findings) {
  using namespace clmnet::tools;
  findings.libtorch = {"libraries", "LibTorch", libtorch_version(), true, true, ""};
  findings.others = look_at_cuda(needs_cuda);
  findings.others.push_back(look_at_model(model.empty() ? default_model_folder() : model));
}
