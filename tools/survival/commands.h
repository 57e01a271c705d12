#pragma once

#include "tools/command.h"
#include "tools/survival/cohort.h"

// The subcommands of `clmnet survival`, one file each: tools/survival/cmd_<name>.cpp.
namespace clmnet::tools {

void add_survival_km(CLI::App& parent, Session& session);
void add_survival_logrank(CLI::App& parent, Session& session);
void add_survival_cox(CLI::App& parent, Session& session);
void add_survival_fit(CLI::App& parent, Session& session);
void add_survival_predict(CLI::App& parent, Session& session);

/// --data, --time, --event and --missing, which all of them take.
void add_outcome_options(CLI::App& command, CohortColumns& columns);

}  // namespace clmnet::tools
