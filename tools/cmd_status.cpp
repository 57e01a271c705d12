#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/commands.h"
#include "tools/run_status.h"

namespace clmnet::tools {

void add_status(CLI::App& app, Session& session) {
  auto folder = std::make_shared<std::filesystem::path>();
  CLI::App* command = add_command(app, session, "status", "How far a run of cv, train or analyze is, from another terminal",
                                  "clmnet status runs/cv", [folder, &session] {
                                    const nlohmann::json status = run_status(*folder, std::time(nullptr));
                                    if (session.json) {
                                      print_json(status);
                                    } else {
                                      std::cout << status_text(status);
                                    }
                                    return 0;
                                  });
  command->add_option("run", *folder, "Folder of the run: what -o named")->required();
}

}  // namespace clmnet::tools
