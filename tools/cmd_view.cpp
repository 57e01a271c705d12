#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "tools/commands.h"
#include "tools/view/review.h"
#include "tools/view/server.h"

namespace clmnet::tools {
namespace {

struct ViewArgs {
  std::string run;
  std::string slides;
  std::string host = "127.0.0.1";
  int port = 0;
  bool open = false;
  bool show_labels = false;
};

/// Shows the address in the user's browser; without one the printed address is there to be copied.
void open_browser(const std::string& address) {
  const pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      execlp("xdg-open", "xdg-open", address.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    _exit(0);
  }
  if (child > 0) waitpid(child, nullptr, 0);
}

int run_view(const ViewArgs& args, const Session& session) {
  view::ViewRun run(args.run, args.slides);
  view::Router router(run, view::load_page(view::default_page_folder(), view::default_openseadragon_folder()),
                      {args.show_labels});
  view::ReviewDesk desk(run);
  const auto read = [&](const view::Query& query) {
    const bool review = query.path == "/api/review" || query.path.rfind("/api/review/", 0) == 0;
    return review ? desk.get(query) : router.get(query);
  };
  const auto change = [&](const view::Query& query, const std::string& body) { return desk.post(query, body); };
  view::Server server(read, change, args.host, args.port);
  if (session.json) {
    print_json({{"address", server.address()}, {"port", server.policy().port}, {"token", server.policy().token},
                {"slides", run.slides().size()}});
  } else {
    std::cout << server.address() << std::endl;
  }
  for (const auto& slide : run.slides()) {
    if (!slide.missing.empty()) std::cerr << "clmnet: " << slide.missing << '\n';
  }
  std::cerr << "clmnet: " << run.slides().size() << " slides; open the address above in a browser, Ctrl-C ends" << std::endl;
  if (args.open) open_browser(server.address());
  server.run(interrupted);
  return 0;
}

}  // namespace

void add_view(CLI::App& app, Session& session) {
  auto args = std::make_shared<ViewArgs>();
  auto* command = add_command(app, session, "view", "Shows the slides of a run with their maps in a browser",
                              "clmnet view RUN --slides /data/slides --open",
                              [args, &session] { return run_view(*args, session); });
  command->add_option("run", args->run, "Folder that clmnet analyze wrote")->required();
  command->add_option("--slides", args->slides, "Folder of the slide files, where the run does not say or they were moved");
  command->add_option("--host", args->host, "Address to listen on; other machines reach it only when it is not a loopback")
      ->capture_default_str();
  command->add_option("--port", args->port, "Port to listen on; 0 takes a free one")->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_flag("--open", args->open, "Open the page in the default browser");
  command->add_flag("--show-labels", args->show_labels, "Also show slide labels, which may hold a patient's name");
}

}  // namespace clmnet::tools
