#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace clmnet::tools {

/// NaN and infinity become null.
nlohmann::json json_number(double value);

/// Six significant digits, as R prints; "NA" for NaN, "Inf" and "-Inf".
std::string number_text(double value);
/// A fixed number of decimals; "NA" for NaN, "Inf" and "-Inf".
std::string fixed_text(double value, int decimals);
/// "0.812 (0.745–0.866)"; "NA" when the value is NaN, the value alone when a limit is.
std::string interval_text(double value, double lower, double upper, int decimals = 3);

/// "p < 0.001", "p = 0.012", "p = 0.47"; "p undefined" for NaN.
std::string p_text(double p);
/// For a column of a table: "<0.001", "0.012", "0.47", "NA".
std::string p_cell(double p);

/// "95%" for 0.95.
std::string percent_text(double share);

}  // namespace clmnet::tools
