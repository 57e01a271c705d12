#include "tests/survival/reference_handlers.h"

#include <map>

namespace clmnet::survival::reference {

Handler find_handler(const std::string& method) {
  static const std::map<std::string, Handler> kHandlers = {
      {"agreement_continuous", run_agreement_continuous},
      {"binary_metrics", run_binary_metrics},
      {"cox_ph", run_cox},
      {"delong", run_delong},
      {"discrimination", run_discrimination},
      {"froc", run_froc},
      {"kappa", run_kappa},
      {"kaplan_meier", run_kaplan_meier},
      {"logistic_glm", run_logistic},
      {"logistic_l2", run_ridge_logistic},
      {"logrank", run_log_rank},
      {"mrmc_roc", run_mrmc},
      {"random_forest", run_random_forest},
      {"random_survival_forest", run_random_survival_forest},
      {"segmentation", run_segmentation},
  };
  const auto found = kHandlers.find(method);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace clmnet::survival::reference
