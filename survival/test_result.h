#pragma once

namespace clmnet::survival {

/// A chi-squared test; p is NaN where the test is undefined.
struct TestResult {
  double chi_squared = 0;
  int df = 0;
  double p = 0;
};

}  // namespace clmnet::survival
