#include "survival/mrmc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/groups.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {


// Rows of the study by truth.
struct Sides {
  std::vector<Eigen::Index> diseased, healthy;

  explicit Sides(const ReaderStudy& study) {
    for (std::size_t i = 0; i < study.diseased.size(); ++i) {
      (study.diseased[i] ? diseased : healthy).push_back(static_cast<Eigen::Index>(i));
    }
  }
};

// Per column: for each case of one side, the sum over the other side of psi (1 when the diseased one is rated higher, 1/2
// for a tie).
struct Placements {
  Eigen::MatrixXd of_diseased, of_healthy;   // [cases of the side, T * R]
};

Placements placements(const ReaderStudy& study, const Sides& sides) {
  Placements result{Eigen::MatrixXd(sides.diseased.size(), study.rating.cols()),
                    Eigen::MatrixXd(sides.healthy.size(), study.rating.cols())};
  for (Eigen::Index column = 0; column < study.rating.cols(); ++column) {
    const auto sorted = [&](const std::vector<Eigen::Index>& rows) {
      std::vector<double> values;
      for (const auto row : rows) values.push_back(study.rating(row, column));
      std::sort(values.begin(), values.end());
      return values;
    };
    const auto low = sorted(sides.healthy), high = sorted(sides.diseased);
    const auto below = [](const std::vector<double>& values, double x) {   // count < x, ties half
      const auto range = std::equal_range(values.begin(), values.end(), x);
      return static_cast<double>(range.first - values.begin()) + static_cast<double>(range.second - range.first) / 2;
    };
    for (std::size_t i = 0; i < sides.diseased.size(); ++i) {
      result.of_diseased(static_cast<Eigen::Index>(i), column) = below(low, study.rating(sides.diseased[i], column));
    }
    for (std::size_t j = 0; j < sides.healthy.size(); ++j) {
      result.of_healthy(static_cast<Eigen::Index>(j), column) =
          static_cast<double>(high.size()) - below(high, study.rating(sides.healthy[j], column));
    }
  }
  return result;
}

// Each entry is summed case by case, so that readings that agree in every case have covariances that are equal to the last bit,
// and their difference a standard error of exactly 0.
Eigen::MatrixXd centred_products(const Eigen::MatrixXd& values) {
  Eigen::MatrixXd centred = values;
  for (auto column : centred.colwise()) {
    column.array() -= std::accumulate(column.begin(), column.end(), 0.0) / static_cast<double>(column.size());
  }
  Eigen::MatrixXd products(values.cols(), values.cols());
  for (Eigen::Index i = 0; i < values.cols(); ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      double sum = 0;
      for (Eigen::Index row = 0; row < values.rows(); ++row) sum += centred(row, i) * centred(row, j);
      products(i, j) = products(j, i) = sum;
    }
  }
  return products;
}

Eigen::MatrixXd delong_covariance(const Placements& place, double m, double n) {
  return centred_products(place.of_diseased / n) / (m * (m - 1)) + centred_products(place.of_healthy / m) / (n * (n - 1));
}

// E psi psi' over pairs that share no case is what the product of two independent areas would be; the covariance is the
// product of the areas less its unbiased estimate.
Eigen::MatrixXd unbiased_covariance(const ReaderStudy& study, const Sides& sides, const Placements& place, double m, double n) {
  const Eigen::Index columns = study.rating.cols();
  Eigen::MatrixXd both = Eigen::MatrixXd::Zero(columns, columns);   // sum over pairs of psi psi'
  Eigen::MatrixXd psi(sides.healthy.size(), columns);
  for (const auto i : sides.diseased) {
    for (std::size_t j = 0; j < sides.healthy.size(); ++j) {
      for (Eigen::Index c = 0; c < columns; ++c) {
        const double high = study.rating(i, c), low = study.rating(sides.healthy[j], c);
        psi(static_cast<Eigen::Index>(j), c) = high > low ? 1 : high == low ? 0.5 : 0;
      }
    }
    both.noalias() += psi.transpose() * psi;
  }
  const Eigen::RowVectorXd sum = place.of_diseased.colwise().sum();
  const Eigen::MatrixXd product = sum.transpose() * sum;
  const Eigen::MatrixXd apart = product - place.of_diseased.transpose() * place.of_diseased -
                                place.of_healthy.transpose() * place.of_healthy + both;
  return product / (m * n * m * n) - apart / (m * (m - 1) * n * (n - 1));
}

}  // namespace

ReaderStudy make_reader_study(const std::vector<Rating>& rows) {
  if (rows.empty()) throw std::invalid_argument("a reader study needs at least one rating");
  std::vector<std::string> treatment, reader, case_id;
  for (const auto& row : rows) {
    treatment.push_back(row.treatment);
    reader.push_back(row.reader);
    case_id.push_back(row.case_id);
  }
  const Groups treatments = make_groups(treatment), readers = make_groups(reader), cases = make_groups(case_id);
  ReaderStudy study{treatments.labels, readers.labels, cases.labels, std::vector<std::uint8_t>(cases.size(), 2),
                    Eigen::MatrixXd::Constant(static_cast<Eigen::Index>(cases.size()),
                                              static_cast<Eigen::Index>(treatments.size() * readers.size()), kNaN)};
  const auto name = [&](std::size_t t, std::size_t r, std::size_t c) {
    return "treatment '" + study.treatments[t] + "', reader '" + study.readers[r] + "', case '" + study.cases[c] + "'";
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto t = treatments.code[i], r = readers.code[i], c = cases.code[i];
    if (std::isnan(rows[i].rating)) throw std::invalid_argument(name(t, r, c) + ": the rating is not a number");
    if (study.diseased[c] != 2 && study.diseased[c] != rows[i].diseased) {
      throw std::invalid_argument("case '" + study.cases[c] + "' is diseased in one row and not in another");
    }
    study.diseased[c] = rows[i].diseased;
    double& place = study.rating(c, study.column(t, r));
    if (!std::isnan(place)) throw std::invalid_argument(name(t, r, c) + " stands twice");
    place = rows[i].rating;
  }
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    for (std::size_t r = 0; r < study.readers.size(); ++r) {
      for (std::size_t c = 0; c < study.cases.size(); ++c) {
        if (std::isnan(study.rating(static_cast<Eigen::Index>(c), study.column(t, r)))) {
          throw std::invalid_argument(name(t, r, c) + " is missing; every reader must read every case under every treatment");
        }
      }
    }
  }
  return study;
}

Eigen::MatrixXd reader_auc(const ReaderStudy& study) {
  const Sides sides(study);
  const double pairs = static_cast<double>(sides.diseased.size()) * static_cast<double>(sides.healthy.size());
  const Eigen::RowVectorXd sum = placements(study, sides).of_diseased.colwise().sum();
  Eigen::MatrixXd auc(study.treatments.size(), study.readers.size());
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    for (std::size_t r = 0; r < study.readers.size(); ++r) {
      auc(static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(r)) = pairs > 0 ? sum[study.column(t, r)] / pairs : kNaN;
    }
  }
  return auc;
}

Eigen::MatrixXd leave_one_out_auc(const ReaderStudy& study) {
  const Sides sides(study);
  const Placements place = placements(study, sides);
  const double m = static_cast<double>(sides.diseased.size()), n = static_cast<double>(sides.healthy.size());
  const Eigen::RowVectorXd sum = place.of_diseased.colwise().sum();
  Eigen::MatrixXd left_out(study.rating.rows(), study.rating.cols());
  for (std::size_t i = 0; i < sides.diseased.size(); ++i) {
    left_out.row(sides.diseased[i]) = (sum - place.of_diseased.row(static_cast<Eigen::Index>(i))) / ((m - 1) * n);
  }
  for (std::size_t j = 0; j < sides.healthy.size(); ++j) {
    left_out.row(sides.healthy[j]) = (sum - place.of_healthy.row(static_cast<Eigen::Index>(j))) / (m * (n - 1));
  }
  return left_out;
}

Eigen::MatrixXd jackknife_covariance(const Eigen::MatrixXd& leave_one_out) {
  const double n = static_cast<double>(leave_one_out.rows());
  return centred_products(leave_one_out) * ((n - 1) / n);
}

Eigen::MatrixXd reader_auc_covariance(const ReaderStudy& study, AucCovariance method) {
  const Sides sides(study);
  const double m = static_cast<double>(sides.diseased.size()), n = static_cast<double>(sides.healthy.size());
  if (m < 2 || n < 2) return Eigen::MatrixXd::Constant(study.rating.cols(), study.rating.cols(), kNaN);
  if (method == AucCovariance::jackknife) return jackknife_covariance(leave_one_out_auc(study));
  const Placements place = placements(study, sides);
  return method == AucCovariance::delong ? delong_covariance(place, m, n) : unbiased_covariance(study, sides, place, m, n);
}

}  // namespace clmnet::survival
