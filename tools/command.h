#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace clmnet::tools {

/// What all subcommands share. Results go to stdout, everything else to stderr.
struct Session {
  bool json = false;     ///< --json: the result as one JSON document on stdout
  int exit_status = 0;   ///< 0 done, 1 an error or a slide that failed, 2 wrong usage, 130 interrupted
};

/// Adds a subcommand with the flags that all share (--json, an example under --help); `run` returns the exit status.
/// Throwing InputError from `run` prints "clmnet: <message>" on stderr and ends with status 1.
CLI::App* add_command(CLI::App& parent, Session& session, const std::string& name, const std::string& description,
                      const std::string& example, std::function<int()> run);

/// One document on stdout, indented, with a line break at the end; NaN becomes null.
void print_json(const nlohmann::json& document);

/// True once Ctrl-C or SIGTERM came; long loops look and stop at the next whole step. A second Ctrl-C ends at once.
bool interrupted();
/// Throws Interrupted with what was kept so far.
void stop_if_interrupted(const std::string& what_is_kept);
/// Starts listening for SIGINT and SIGTERM.
void install_signal_handlers();

/// Every subcommand that this build has; a build without LibTorch lacks those that need networks.
void add_all_commands(CLI::App& app, Session& session);

}  // namespace clmnet::tools
