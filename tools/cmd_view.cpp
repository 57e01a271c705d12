#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>

#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/view/review.h"
#include "tools/view/server.h"
#include "tools/view/study_desk.h"

namespace clmnet::tools {
namespace {

struct ViewArgs {
  std::string run;
  std::string slides;
  std::string host = "127.0.0.1";
  int port = 0;
  bool open = false;
  bool show_labels = false;
  bool icc = false, no_icc = false;
  std::string study;
};

using nlohmann::json;

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

bool under(const view::Query& query, const std::string& root) { return query.path == root || query.path.rfind(root + "/", 0) == 0; }

/// Slides, maps and review.
struct ReviewSite {
  view::Router& router;
  view::ReviewDesk desk;

  view::Reply get(const view::Query& query) { return under(query, "/api/review") ? desk.get(query) : router.get(query); }
  view::Reply post(const view::Query& query, const std::string& body) { return desk.post(query, body); }
};

/// A reader study alone: what else the run holds is not handed out while it runs.
struct StudySite {
  view::Router& router;
  view::StudyDesk desk;

  view::Reply get(const view::Query& query) {
    if (under(query, "/api/study")) return desk.get(query);
    if (query.path != "/api/session" && under(query, "/api")) return view::error_reply(403, "a reader study is running; open the address that is yours");
    return router.get(query);
  }
  view::Reply post(const view::Query& query, const std::string& body) { return desk.post(query, body); }
};

void print_start(const view::Server& server, const view::ViewRun& run, const view::StudyDesk* study, const Session& session) {
  json readers = json::array();
  if (study != nullptr) {
    for (const auto& [reader, key] : study->keys()) readers.push_back({{"reader", reader}, {"address", server.address() + "#study=" + key}});
  }
  if (session.json) {
    json document = {{"address", server.address()}, {"port", server.policy().port}, {"token", server.policy().token},
                     {"slides", run.slides().size()}};
    if (study != nullptr) document["readers"] = readers;
    print_json(document);
    return;
  }
  if (study == nullptr) std::cout << server.address() << '\n';
  for (const auto& reader : readers) {
    std::cout << reader["reader"].get<std::string>() << '\t' << reader["address"].get<std::string>() << '\n';
  }
  std::cout << std::flush;
}

template <typename Site>
int serve(const ViewArgs& args, const view::ViewRun& run, Site& site, const view::StudyDesk* study, const Session& session) {
  view::Server server([&](const view::Query& query) { return site.get(query); },
                      [&](const view::Query& query, const std::string& body) { return site.post(query, body); }, args.host, args.port);
  print_start(server, run, study, session);
  for (const auto& slide : run.slides()) {
    if (!slide.missing.empty()) std::cerr << "clmnet: " << slide.missing << '\n';
  }
  if (study == nullptr) {
    std::cerr << "clmnet: " << run.slides().size() << (run.slides().size() == 1 ? " slide" : " slides")
              << "; open the address above in a browser, Ctrl-C ends" << std::endl;
    if (args.open) open_browser(server.address());
  } else {
    std::cerr << "clmnet: each reader opens the address beside their name, and no other; Ctrl-C ends" << std::endl;
  }
  server.run(interrupted);
  return 0;
}

int run_view(const ViewArgs& args, const Session& session) {
  view::ViewRun run(args.run, args.slides, args.icc || args.no_icc ? std::optional(args.icc) : std::nullopt);
  auto page = view::load_page(view::default_page_folder(), view::default_openseadragon_folder());
  if (args.study.empty()) {
    view::Router router(run, std::move(page), {args.show_labels});
    ReviewSite site{router, view::ReviewDesk(run)};
    return serve(args, run, site, nullptr, session);
  }
  if (args.open) throw InputError("--study prints one address per reader; leave --open away and give each reader theirs");
  page["/"] = page.at("/study.html");
  for (const char* other : {"/index.html", "/report.html"}) page.erase(other);
  view::Router router(run, std::move(page), {false});
  StudySite site{router, {view::read_study_plan(args.study, run), run, router}};
  return serve(args, run, site, &site.desk, session);
}

}  // namespace

void add_view(CLI::App& app, Session& session) {
  auto args = std::make_shared<ViewArgs>();
  auto* command = add_command(app, session, "view", "Shows the slides of a run with their maps in a browser",
                              "clmnet view RUN --slides /data/slides --open",
                              [args, &session] { return run_view(*args, session); });
  command->add_option("run", args->run, "Folder that clmnet analyze wrote")->required();
  command->add_option("--slides", args->slides, "Folder of the slide files, where the run does not say or they were moved");
  CLI::Option* icc = command->add_flag("--icc", args->icc, "Colours in sRGB through each slide's ICC profile; default: where the run was made so");
  command->add_flag("--no-icc", args->no_icc, "Colours as they are stored, whatever the run was made with")->excludes(icc);
  command->add_option("--host", args->host, "Address to listen on; other machines reach it only when it is not a loopback")
      ->capture_default_str();
  command->add_option("--port", args->port, "Port to listen on; 0 takes a free one")->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_flag("--open", args->open, "Open the page in the default browser");
  command->add_option("--study", args->study, "Plan of a reader study (TOML, see configs/study.toml): each reader gets an address of their own");
  command->add_flag("--show-labels", args->show_labels, "Also show slide labels, which may hold a patient's name");
}

}  // namespace clmnet::tools
