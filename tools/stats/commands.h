#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/stats/complete_rows.h"

// The subcommands of `clmnet stats`, one file each: tools/stats/cmd_<name>.cpp.
namespace clmnet::tools {

void add_stats_roc(CLI::App& parent, Session& session);
void add_stats_agreement(CLI::App& parent, Session& session);
void add_stats_segmentation(CLI::App& parent, Session& session);
void add_stats_froc(CLI::App& parent, Session& session);
void add_stats_readers(CLI::App& parent, Session& session);

/// --data and --missing, which all of them take.
struct TableArgs {
  std::filesystem::path data;
  std::vector<std::string> missing;

  CompleteRows read(const std::vector<std::string>& needed) const;
};
void add_table_options(CLI::App& command, TableArgs& args, const std::string& what_data_is);
void add_missing_option(CLI::App& command, std::vector<std::string>& missing);
void add_level_option(CLI::App& command, double& level);

/// {method, convention, software, n}: how every result begins.
nlohmann::json result_head(const std::string& method, const std::string& convention, std::size_t n);

/// Runs what calls the statistics; their std::invalid_argument becomes an InputError that names the file.
void naming_file(const std::string& file, const std::function<void()>& compute);

}  // namespace clmnet::tools
