#include <filesystem>
#include <iostream>

#include "nets/ensemble.h"
#include "nets/torchscript.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/default_model.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

struct ExportArgs {
  std::string model, out;
};

int run_export(const ExportArgs& args, const Session& session) {
  const fs::path folder = args.model.empty() ? default_model_folder() : fs::path(args.model);
  const fs::path out = args.out;
  std::error_code ignored;
  if (fs::exists(out, ignored) && !fs::is_empty(out, ignored)) {
    throw InputError(out.string() + ": is not empty; give another -o");
  }
  const nets::ModelConfig config = nets::read_model_config(folder);
  if (config.stain && config.stain->method == "macenko") {
    std::cerr << "warning: the model wants colours normalised by Macenko's method; the program that is written takes them as they are, so "
                 "normalise before it\n";
  }
  nets::export_torchscript(config, nets::load_members(folder, config), out);
  if (session.json) {
    print_json({{"model", out.string()}, {"files", {"config.json", "torchscript_model.pt"}}});
  } else {
    std::cout << "written to " << out.string() << ": config.json and torchscript_model.pt, as WSInfer and QuPath read them\n";
  }
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Session& session) {
  auto args = std::make_shared<ExportArgs>();
  CLI::App* command = add_command(app, session, "export",
                                  "Write a model's tile classes as one TorchScript program, in the form of WSInfer's zoo",
                                  "clmnet export --model nets/zoo/clmnet-s -o clmnet-s-torchscript",
                                  [args, &session] { return run_export(*args, session); });
  command->add_option("--model", args->model, "Folder of the model; default: the one that comes with clmnet");
  command->add_option("-o,--output", args->out, "Folder to write; must not hold anything")->required();
}

}  // namespace clmnet::tools
