#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/base/atomic_file.h"
#include "tools/commands.h"
#include "tools/synth_cohort.h"

namespace clmnet::tools {
namespace {

struct Args {
  std::filesystem::path out;
  int patients = 200;
  std::uint64_t seed = 1;
};

int run_synth_cohort(const Args& args, const Session& session) {
  const SynthTruth truth;
  const auto cohort = draw_cohort(args.patients, args.seed, truth);
  const auto deaths = std::count_if(cohort.begin(), cohort.end(), [](const SynthPatient& p) { return p.died; });
  write_atomically(args.out, cohort_csv(cohort));
  if (session.json) {
    print_json({{"file", args.out.string()},
                {"patients", cohort.size()},
                {"deaths", deaths},
                {"seed", args.seed},
                {"weibull", {{"scale_months", truth.scale_months}, {"shape", truth.shape}}},
                {"log_hazard_ratios",
                 {{"age_per_decade", truth.age_per_decade},
                  {"sex", 0},
                  {"chemo_before_liver_resection", truth.chemo_before_resection},
                  {"extrahep_disease", truth.extrahepatic_disease},
                  {"clinrisk_score", truth.clinical_risk_score}}}});
  } else {
    std::cout << args.out.string() << ": " << cohort.size() << " drawn patients, " << deaths << " deaths\n";
  }
  return 0;
}

}  // namespace

void add_synth_cohort(CLI::App& app, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(app, session, "synth-cohort", "Draw a cohort whose effects on survival are known",
                                  "clmnet synth-cohort -o cohort.csv --patients 200 --seed 1",
                                  [args, &session] { return run_synth_cohort(*args, session); });
  command->add_option("-o,--out", args->out, "CSV to write, columns as TCIA 'Colorectal-Liver-Metastases'")->required();
  command->add_option("--patients", args->patients, "How many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  command->add_option("--seed", args->seed, "The same seed draws the same patients")->capture_default_str();
}

}  // namespace clmnet::tools
