#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clmnet::tools {

/// One drawn patient; coded as the sheet of TCIA 'Colorectal-Liver-Metastases', so that one command reads both.
struct SynthPatient {
  std::string id;
  double age_years = 0;
  int sex = 1;                     ///< 1 male, 2 female; without effect on survival
  int chemo_before_resection = 0;
  int extrahepatic_disease = 0;
  int clinical_risk_score = 0;     ///< 0 to 5
  double survival_months = 0;      ///< until death or end of follow-up
  bool died = false;
};

/// The truth that cohorts are drawn from: proportional hazards over a Weibull baseline,
///   H(t | x) = (t / scale_months)^shape * exp(log_hazard(x)).
struct SynthTruth {
  double scale_months = 180;
  double shape = 1.2;
  double age_per_decade = 0.15;    ///< log hazard ratios; age counts from 60 years
  double chemo_before_resection = 0.2;
  double extrahepatic_disease = 0.5;
  double clinical_risk_score = 0.35;

  double log_hazard(const SynthPatient& patient) const;
};

/// The same patients for the same seed on every machine. Follow-up ends between 24 and 144 months, whatever the hazard.
/// Throws std::invalid_argument unless patients > 0.
std::vector<SynthPatient> draw_cohort(int patients, std::uint64_t seed, const SynthTruth& truth = {});

/// A CSV with a header line, columns as in the TCIA sheet, months to two decimals.
std::string cohort_csv(const std::vector<SynthPatient>& cohort);

}  // namespace clmnet::tools
