#include <algorithm>
#include <charconv>
#include <cmath>

#include "tests/survival/reference_case.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

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
    if (is_share_table(expected)) return compare_shares(expected, actual, path, tolerance);
    for (const auto& [key, value] : expected.items()) {
      const std::string below = path + "/" + key;
      const auto is_band = [&](const char* ending, const std::string& sibling_ending) {
        return key.ends_with(ending) && expected.contains(key.substr(0, key.rfind('_')) + sibling_ending);
      };
      if (is_band("_sd", "_mean")) continue;
      if (value.is_null()) continue;
      // What others have printed for these data is a second witness, not a result: what is there is compared as printed.
      if (below.starts_with("/published/") && (value.is_string() || !actual.contains(key))) continue;
      if (!actual.contains(key)) {
        miss(below, "a value", "nothing");
        continue;
      }
      if (is_band("_mean", "_sd")) {
        compare_band(value, expected[key.substr(0, key.rfind('_')) + "_sd"], band_margin(tolerance_, "bootstrap", 0.002),
                     actual[key], below);
      } else if ((key == "lower" || key == "upper") && expected.contains("se") && tolerance_.contains("se_rel")) {
        compare_limits(value, actual[key], expected["se"], below, tolerance);
      } else if (key == "max_abs_grad" && value.is_number() && actual[key].is_number()) {
        // How far from the optimum the reference stopped: nearer is no miss.
        ++result_.compared;
        if (!(actual[key].get<double>() <= value.get<double>() + tolerance.abs)) miss(below, "at most " + short_text(value), short_text(actual[key]));
      } else {
        visit(value, actual[key], below, tolerance_of(key, tolerance));
      }
    }
  }

  /// Variables of a forest with their share of the importance, averaged over seeds: near ties may change places, so the
  /// share of each name is compared. One run scatters about an average of seeds; forests' margin is 0.01.
  static bool is_share_table(const json& expected) { return expected.size() == 2 && expected.contains("name") && expected.contains("share"); }

  void compare_shares(const json& expected, const json& actual, const std::string& path, Tolerance tolerance) {
    if (!actual.contains("all")) return miss(path, "'all', the share of every variable", "nothing");
    for (std::size_t i = 0; i < expected["name"].size(); ++i) {
      if (expected["name"][i].is_null()) continue;   // fewer than ten variables
      const auto name = expected["name"][i].get<std::string>();
      tolerance.abs = std::max(tolerance.abs, 0.03);
      compare_number(expected["share"][i], actual["all"].value(name, json()), path + "/" + name, tolerance);
    }
  }

  /// Limits that stand beside an error with its own tolerance may be off by what that error may be off.
  void compare_limits(const json& expected, const json& actual, const json& std_err, const std::string& path, Tolerance tolerance) {
    if (!expected.is_array() || !std_err.is_array() || std_err.size() != expected.size() || !actual.is_array() ||
        actual.size() != expected.size()) {
      return visit(expected, actual, path, tolerance);
    }
    const double allowed = 2 * tolerance_["se_rel"].get<double>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      Tolerance own = tolerance;
      if (std_err[i].is_number()) own.abs += allowed * std_err[i].get<double>();
      visit(expected[i], actual[i], path + "[" + std::to_string(i) + "]", own);
    }
  }

  Tolerance tolerance_of(const std::string& key, Tolerance outer) const {
    const std::string name = key + "_rel";
    if (tolerance_.contains(name) && tolerance_[name].is_number()) outer.rel = tolerance_[name].get<double>();
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
