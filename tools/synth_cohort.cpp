#include "tools/synth_cohort.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>

namespace clmnet::tools {
namespace {

/// The engine is the same everywhere, the standard library's distributions are not; hence our own few lines.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  /// In (0, 1), never an end, so that its logarithm is finite.
  double uniform() { return (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53; }
  bool yes(double probability) { return uniform() < probability; }
  /// Irwin-Hall: twelve uniforms have variance 1, and a sum is exact on every machine where a cosine may not be.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

double SynthTruth::log_hazard(const SynthPatient& patient) const {
  return age_per_decade * (patient.age_years - 60) / 10 + chemo_before_resection * patient.chemo_before_resection +
         extrahepatic_disease * patient.extrahepatic_disease + clinical_risk_score * patient.clinical_risk_score;
}

std::vector<SynthPatient> draw_cohort(int patients, std::uint64_t seed, const SynthTruth& truth) {
  if (patients <= 0) throw std::invalid_argument("draw_cohort: patients is " + std::to_string(patients));
  Draw draw(seed);
  std::vector<SynthPatient> cohort(static_cast<std::size_t>(patients));
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    SynthPatient& patient = cohort[i];
    char id[32];
    std::snprintf(id, sizeof id, "SYNTH-%05zu", i + 1);
    patient.id = id;
    patient.age_years = std::clamp(std::round(60 + 12 * draw.normal()), 25.0, 90.0);
    patient.sex = draw.yes(0.6) ? 1 : 2;
    patient.chemo_before_resection = draw.yes(0.6) ? 1 : 0;
    patient.extrahepatic_disease = draw.yes(0.12) ? 1 : 0;
    for (int point = 0; point < 5; ++point) patient.clinical_risk_score += draw.yes(0.4) ? 1 : 0;
    // H(T) is exponential with mean 1 for every survival time T; Bender, Augustin and Blettner 2005, doi 10.1002/sim.2059.
    const double death =
        truth.scale_months * std::pow(-std::log(draw.uniform()) * std::exp(-truth.log_hazard(patient)), 1 / truth.shape);
    const double follow_up = 24 + 120 * draw.uniform();
    patient.died = death <= follow_up;
    patient.survival_months = std::max(0.01, std::round(100 * std::min(death, follow_up)) / 100);
  }
  return cohort;
}

std::string cohort_csv(const std::vector<SynthPatient>& cohort) {
  std::string text =
      "Patient-ID,age,sex,chemo_before_liver_resection,clinrisk_score,extrahep_disease,overall_survival_months,vital_status\n";
  for (const SynthPatient& patient : cohort) {
    char line[160];
    std::snprintf(line, sizeof line, "%s,%.0f,%d,%d,%d,%d,%.2f,%d\n", patient.id.c_str(), patient.age_years, patient.sex,
                  patient.chemo_before_resection, patient.clinical_risk_score, patient.extrahepatic_disease,
                  patient.survival_months, patient.died ? 1 : 0);
    text += line;
  }
  return text;
}

}  // namespace clmnet::tools
