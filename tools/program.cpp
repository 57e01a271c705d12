#include "tools/program.h"

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

/// A misspelt word is why something else is missing, and says more than that it is missing.
void say_unknown_word(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty() || dynamic_cast<const CLI::RequiredError*>(&error) == nullptr) return;
  std::cerr << "clmnet: '" << unknown.front() << "' is not known here\n";
}

}  // namespace

int run_program(int argc, char** argv, void (*add_commands)(CLI::App&, Session&)) {
  CLI::App app("clmnet: colorectal liver metastases on whole-slide images. Research use, not a medical device.", "clmnet");
  app.set_version_flag("--version", std::string("clmnet ") + CLMNET_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(54);  // subcommands take it over; the longest option fits
  Session session;
  add_commands(app, session);
  install_signal_handlers();
  try {
    app.parse(argc, argv);
    // A result that never reached its file or pipe (a full disk) is no success.
    if (!std::cout.flush()) throw InputError("stdout: the result cannot be written; is the disk full?");
    return session.exit_status;
  } catch (const CLI::ParseError& error) {
    say_unknown_word(app, error);
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Interrupted& stop) {
    std::cerr << "clmnet: " << stop.what() << '\n';
    return 130;
  } catch (const std::exception& error) {
    std::cerr << "clmnet: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace clmnet::tools
