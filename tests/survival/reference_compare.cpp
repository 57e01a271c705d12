#include <algorithm>
#include <charconv>
#include <cmath>

#include "tests/survival/reference_case.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

// ranger seeds tree i of seed s with (i + 1) s, so its forests of seeds 1 to 20 share trees and their mean scatters nearly as one
// forest does: seeds 101 to 110 move the largest share of breast_cancer from 0.145 to 0.128, R's randomForest says 0.131.
constexpr double kShareMargin = 0.03;

struct Tolerance {
  double rel = 1e-8;
  double abs = 1e-10;
};

/// Reads "|x-mean| <= 4*sd + 0.002": what is added to four standard deviations.
double band_margin(const json& tolerance, const char* key, double otherwise) {
  if (!tolerance.contains(key) || !tolerance[key].is_string()) return otherwise;
  const std::string rule = tolerance[key].get<std::string>();
  const auto plus = rule.find('+');
  return plus == std::string::npos ? otherwise : std::strtod(rule.c_str() + plus + 1, nullptr);
}

class Comparer {
 public:
  explicit Comparer(const json& tolerance) : tolerance_(tolerance) {
    // A case whose only tolerance is a rule over seeds compares single numbers with the rule's margin.
    if (tolerance.contains("rule") && !tolerance.contains("rel")) base_.abs = band_margin(tolerance, "rule", 0.01);
    base_.rel = tolerance.value("rel", base_.rel);
    base_.abs = tolerance.value("abs", base_.abs);
  }

  Comparison run(const json& expected, const json& actual) {
    visit(expected, actual, "", base_);
    return std::move(result_);
  }

 private:
  void visit(const json& expected, const json& actual, const std::string& path, Tolerance tolerance) {
    if (expected.is_null()) return;
    if (expected.is_object()) {
      visit_object(expected, actual, path, tolerance);
    } else if (expected.is_array()) {
      if (!actual.is_array() || actual.size() != expected.size()) {
        const std::string found = actual.is_array() ? "a list of " + std::to_string(actual.size()) : short_text(actual);
        return miss(path, "a list of " + std::to_string(expected.size()), found);
      }
      for (std::size_t i = 0; i < expected.size(); ++i) {
        visit(expected[i], actual[i], path + "[" + std::to_string(i) + "]", tolerance);
      }
    } else if (expected.is_number()) {
      compare_number(expected.get<double>(), actual, path, tolerance);
    } else {
      ++result_.compared;
      if (expected != actual) miss(path, short_text(expected), short_text(actual));
    }
  }

  void visit_object(const json& expected, const json& actual, const std::string& path, Tolerance tolerance) {
    if (expected.contains("mean") && expected.contains("sd") && expected.contains("n") && actual.is_number()) {
      return compare_band(expected["mean"], expected["sd"], band_margin(tolerance_, "rule", 0.01), actual, path);
    }
    if (!actual.is_object()) return miss(path, "an object", short_text(actual));
    if (is_share_table(expected)) return compare_shares(expected, actual, path);
    for (const auto& [key, value] : expected.items()) {
      const std::string below = path + "/" + key;
      const auto is_band = [&](const char* ending, const std::string& sibling_ending) {
        return key.ends_with(ending) && expected.contains(key.substr(0, key.rfind('_')) + sibling_ending);
      };
      if (value.is_null()) continue;
      if (below == "/published/source") continue;   // where it was printed
      if (!actual.contains(key)) {
        miss(below, "a value", "nothing");
        continue;
      }
      if (is_band("_mean", "_sd")) {
        compare_band(value, expected[key.substr(0, key.rfind('_')) + "_sd"], band_margin(tolerance_, "bootstrap", 0.002),
                     actual[key], below);
      } else if (is_band("_sd", "_mean")) {
        compare_scatter(value, band_margin(tolerance_, "bootstrap", 0.002), actual[key], below);
      } else if (key == "max_abs_grad" && value.is_number() && actual[key].is_number()) {
        // How far from the optimum the reference stopped: nearer is no miss.
        ++result_.compared;
        if (!(actual[key].get<double>() <= value.get<double>() + tolerance.abs)) {
          miss(below, "at most " + short_text(value), short_text(actual[key]));
        }
      } else {
        visit(value, actual[key], below, tolerance_of(key, tolerance));
      }
    }
  }

  /// Variables of a forest with their share of the importance, averaged over seeds, the largest first. Two that stand
  /// nearer than the margin may change places.
  static bool is_share_table(const json& expected) {
    return expected.size() == 2 && expected.contains("name") && expected.contains("share");
  }

  void compare_shares(const json& expected, const json& actual, const std::string& path) {
    const json& names = expected["name"];
    const auto complete = [&](const char* key) {
      return actual.contains(key) && actual[key].is_array() && actual[key].size() == names.size();
    };
    if (!complete("name") || !complete("share")) {
      return miss(path, "names and shares of " + std::to_string(names.size()), "something else");
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].is_null()) continue;   // fewer variables than places
      const std::string place = path + "/" + names[i].get<std::string>();
      const double wanted = expected["share"][i].get<double>();
      compare_number(wanted, actual["share"][i], path + "/share[" + std::to_string(i) + "]", {0, kShareMargin});
      const auto found = std::find(actual["name"].begin(), actual["name"].end(), names[i]);
      // The last places may go to a variable that the reference just left out.
      if (found == actual["name"].end()) {
        if (wanted - expected["share"].back().get<double>() > kShareMargin) miss(place, "a place", "none");
        continue;
      }
      compare_number(wanted, actual["share"][static_cast<std::size_t>(found - actual["name"].begin())], place, {0, kShareMargin});
    }
  }

  /// The scatter over a handful of seeds is itself known to a factor: over ten seeds, beyond 4 lies 1 in 5,000 (F test).
  void compare_scatter(double expected, double margin, const json& actual, const std::string& path) {
    ++result_.compared;
    if (!actual.is_number() || !(actual.get<double>() <= 4 * expected + margin) ||
        !(actual.get<double>() >= expected / 4 - margin)) {
      miss(path, text_of(expected) + " within a factor of 4", short_text(actual));
    }
  }

  Tolerance tolerance_of(const std::string& key, Tolerance outer) const {
    const std::string name = key + "_rel";
    if (!tolerance_.contains(name) || !tolerance_[name].is_number()) return outer;
    const double stated = tolerance_[name].get<double>();
    // A wider one holds for `calibration` only: the reference ends its iterations there in the ninth digit.
    if (stated < outer.rel || key == "calibration") outer.rel = stated;
    return outer;
  }

  void compare_number(double expected, const json& actual, const std::string& path, Tolerance tolerance) {
    ++result_.compared;
    if (!actual.is_number()) return miss(path, text_of(expected), short_text(actual));
    const double found = actual.get<double>(), error = std::abs(found - expected);
    if (path.starts_with("/published/")) tolerance.abs = std::max(tolerance.abs, half_of_last_digit(expected));
    if (std::abs(expected) > tolerance.abs) {
      result_.worst_relative_error = std::max(result_.worst_relative_error, error / std::abs(expected));
    }
    if (!(error <= tolerance.abs + tolerance.rel * std::abs(expected))) miss(path, text_of(expected), text_of(found));
  }

  void compare_band(double mean, double sd, double margin, const json& actual, const std::string& path) {
    ++result_.compared;
    if (!actual.is_number() || !(std::abs(actual.get<double>() - mean) <= 4 * sd + margin)) {
      miss(path, text_of(mean) + " +- " + text_of(4 * sd + margin), short_text(actual));
    }
  }

  /// Half of the last digit of a number as it is written, and a little for rounding: 15.26 -> 0.005.
  static double half_of_last_digit(double value) {
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
    const auto dot = std::find(text, end, '.');
    return 0.501 * std::pow(10.0, dot == end ? 0.0 : -static_cast<double>(end - dot - 1));
  }

  static std::string text_of(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.15g", value);
    return text;
  }
  static std::string short_text(const json& value) { return value.dump().substr(0, 60); }

  void miss(const std::string& path, const std::string& expected, const std::string& found) {
    result_.misses.push_back(path + ": expected " + expected + ", found " + found);
  }

  const json& tolerance_;
  Tolerance base_;
  Comparison result_;
};

}  // namespace

Comparison compare(const json& expected, const json& actual, const json& tolerance) {
  return Comparer(tolerance).run(expected, actual);
}

}  // namespace clmnet::survival::reference
