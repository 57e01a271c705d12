#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace clmnet::tools {

/// What was done, as a paper's methods section says it, with every setting of the configuration in a table. HTML.
/// survival  survival.json, null where there is none
std::string methods_text(const nlohmann::json& summary, const nlohmann::json& configuration, const nlohmann::json& survival);

/// Items of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378) and CLAIM (Mongan et al., Radiol Artif Intell 2020;2:e200029) that a run
/// answers, with where; and those that only the authors can. HTML.
std::string checklist(const nlohmann::json& summary, const nlohmann::json& survival);

}  // namespace clmnet::tools
