#include "tools/report/numbers.h"

#include <cmath>
#include <cstdio>

namespace clmnet::tools {
namespace {

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string not_finite(double value) { return std::isnan(value) ? "NA" : value > 0 ? "Inf" : "-Inf"; }

}  // namespace

nlohmann::json json_number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::string number_text(double value) { return std::isfinite(value) ? printed("%.6g", value) : not_finite(value); }

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return not_finite(value);
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string interval_text(double value, double lower, double upper, int decimals) {
  if (std::isnan(value)) return "NA";
  const std::string alone = fixed_text(value, decimals);
  if (std::isnan(lower) || std::isnan(upper)) return alone;
  const char* dash = lower < 0 || upper < 0 ? " to " : "–";
  return alone + " (" + fixed_text(lower, decimals) + dash + fixed_text(upper, decimals) + ")";
}

std::string p_cell(double p) {
  if (std::isnan(p)) return "NA";
  return p < 0.001 ? "<0.001" : printed(p < 0.1 ? "%.3f" : "%.2f", p);
}

std::string p_text(double p) {
  if (std::isnan(p)) return "p undefined";
  return p < 0.001 ? "p < 0.001" : "p = " + p_cell(p);
}

std::string percent_text(double share) { return printed("%.6g", 100 * share) + "%"; }

}  // namespace clmnet::tools
