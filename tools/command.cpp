#include "tools/command.h"

#include <csignal>
#include <iostream>

#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void on_stop_signal(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

CLI::App* add_command(CLI::App& parent, Session& session, const std::string& name, const std::string& description,
                      const std::string& example, std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer("\nExample:\n  " + example);
  if (run) {
    command->add_flag("--json", session.json, "Print the result as JSON on stdout");
    command->callback([&session, run = std::move(run)] { session.exit_status = run(); });
  } else {
    command->require_subcommand(1);
  }
  return command;
}

void print_json(const nlohmann::json& document) {
  // Slides and tables hold text in any encoding; a byte that is not UTF-8 must not cost the result.
  std::cout << document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n' << std::flush;
}

bool interrupted() { return stop_requested != 0; }

void stop_if_interrupted(const std::string& what_is_kept) {
  if (interrupted()) throw Interrupted("interrupted; " + what_is_kept);
}

void install_signal_handlers() {
  std::signal(SIGINT, on_stop_signal);
  std::signal(SIGTERM, on_stop_signal);
  // Over a limit on file sizes write() then fails with a reason, and the message names it, instead of a silent end.
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace clmnet::tools
