#pragma once

#include "tools/command.h"

// One function per file tools/cmd_<name>.cpp; each adds its subcommand(s) to the program.
namespace clmnet::tools {

// survival and statistics
void add_survival(CLI::App& app, Session& session);
void add_stats(CLI::App& app, Session& session);
void add_synth_cohort(CLI::App& app, Session& session);

// runs of any kind
void add_status(CLI::App& app, Session& session);

// the installation
void add_doctor(CLI::App& app, Session& session);

// slides
void add_info(CLI::App& app, Session& session);
void add_bench(CLI::App& app, Session& session);
void add_bench_tiles(CLI::App& bench, Session& session);
void add_synth(CLI::App& app, Session& session);
void add_tile(CLI::App& app, Session& session);
void add_tissue(CLI::App& app, Session& session);
void add_view(CLI::App& app, Session& session);

// networks: in clmnet-nets.so, see nets_part.h
void add_analyze(CLI::App& app, Session& session);
void add_train(CLI::App& app, Session& session);
void add_cv(CLI::App& app, Session& session);
void add_evaluate(CLI::App& app, Session& session);
void add_export(CLI::App& app, Session& session);
void add_bench_nets(CLI::App& bench, Session& session);

}  // namespace clmnet::tools
