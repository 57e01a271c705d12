#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "tools/view/review.h"

namespace clmnet::tools::view {

/// Of the reader's verdicts agree and disagree (unsure counts apart): how often the reader agrees with the program, with the
/// limits of Wilson (1927) and Clopper and Pearson (1934) at 95 %. Null limits where nothing was judged.
/// For slides also Cohen's kappa of the calls 'tumour' and 'no tumour' with its 95 % interval: the program calls tumour where it
/// outlined a region, the reader calls the same or the opposite. Every region is called tumour by the program, so kappa says
/// nothing of regions. Null where it is undefined (both always gave one and the same call).
nlohmann::json concordance(const ReviewState& state, const ViewRun& run);

/// The same calls as a table for clmnet stats agreement: case, program, then a column per reader ("reader NAME" where the name
/// is one of these two); "tumour", "no tumour", empty where a reader was unsure or gave no verdict. One row per slide of the run
/// that somebody judged, or, with `regions`, per judged region ("<slide>/<region>").
std::string agreement_csv(const std::map<std::string, ReviewState>& states, const ViewRun& run, bool regions);

}  // namespace clmnet::tools::view
