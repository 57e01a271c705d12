#pragma once

#include "tools/command.h"

namespace clmnet::tools {

/// The command line from its arguments to the exit status: 0 done, 1 an error, 2 wrong usage, 130 interrupted.
/// add_commands   gives the program its subcommands.
int run_program(int argc, char** argv, void (*add_commands)(CLI::App&, Session&));

}  // namespace clmnet::tools
