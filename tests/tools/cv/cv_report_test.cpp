#include "tools/cv/cv_report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "survival/random.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/cv/cv_summary.h"
#include "tools/cv/html_page.h"
#include "tools/cv/report_methods.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Forty images of twenty patients, half of them tumour, by an ensemble and two networks.
CvTable forty_images() {
  CvTable table;
  table.columns = {{"ensemble", {}, {}, {}}, {"unet", {}, {}, {}}, {"vgg16", {}, {}, {}}};
  survival::Random random(3);
  for (int i = 0; i < 40; ++i) {
    const int label = i / 2 % 2;
    table.rows.push_back({"image <" + std::to_string(i) + ">.png", "p" + std::to_string(i / 2), label ? "cancer" : "normal",
                          label, 1, 1 + i / 2 % 4});
    for (auto& column : table.columns) {
      const double p = std::min(0.999, std::max(0.001, 0.5 * random.uniform() + 0.4 * label));
      column.probability.push_back(p);
      column.called.push_back(p >= 0.45);
      column.map.dice.push_back(label ? random.uniform() : std::nan(""));
      column.map.hd95_um.push_back(label ? 100 * random.uniform() : std::nan(""));
      column.map.map_empty.push_back(label ? 0 : std::nan(""));
      column.map.false_tumour_share.push_back(label ? std::nan("") : 0.01 * random.uniform());
    }
  }
  table.map_before_crf = table.columns[0].map;
  return table;
}

json summary_of(const CvTable& table) {
  json s = summarise(table);
  s.update(
      {{"folds", 4}, {"repeats", 1}, {"images_without_class", 3}, {"images_trained_on_only", 0}, {"permuted_labels", nullptr}});
  s["split"] = {{{"repeat", 1},
                 {"fold", 1},
                 {"trained", 24},
                 {"validated", 6},
                 {"tested", 10},
                 {"tested_tumour", 4},
                 {"tested_patients", 5}}};
  return s;
}

json configuration() {
  return {{"version", "1"},
          {"training",
           {{"model", {{"patch_size_px", 64}, {"spacing_um_per_px", 1.0}}},
            {"training", {{"seed", 7}, {"split_seed", 7}, {"validation_fraction", 0.2}}},
            {"unet", {{"epochs", 3}, {"learning_rate", 0.0005}}}}}};
}

class Page : public testing::Test {
 protected:
  Page() {
    fs::create_directories(folder_ / "figures");
    fs::create_directories(folder_ / "repeat-1/fold-1/training");
    write_atomically(folder_ / "repeat-1/fold-1/training/train.csv",
                     "network,epoch,train_loss,validation_loss\nunet,1,0.9,1.1\nunet,2,0.5,0.8\n");
    const CvTable table = forty_images();
    report_.summary = summary_of(table);
    report_.configuration = configuration();
    report_.examples = json::array();
    report_.flow =
        draw_flow(folder_ / "figures", {{{"43 images"}}, {{"Left out: 3"}, true}, {{"Cross-validated: 40", "4 folds"}}});
    report_.prediction_figures = draw_prediction_figures(folder_ / "figures", table, report_.summary);
    report_.learning_figures = draw_learning_figures(folder_ / "figures", folder_.path());
  }
  std::string page() {
    write_cv_report(folder_.path(), report_);
    return read_whole_file(folder_ / "report.html");
  }
  test::TemporaryFolder folder_;
  CvReport report_;
};

TEST_F(Page, IsOneFileThatLoadsNothing) {
  const std::string html = page();
  std::size_t pictures = 0;
  for (std::size_t at = html.find("src="); at != std::string::npos; at = html.find("src=", at + 1), ++pictures)
    EXPECT_EQ(html.substr(at, 10), "src=\"data:");
  EXPECT_EQ(pictures, 5U);  // flow, ROC, precision-recall, calibration, one network's learning
  for (const char* word : {"http://", "https://", "@import", "url(", "<link", "nan", "NaN"})
    EXPECT_EQ(html.find(word), std::string::npos) << word;
  for (const char* name : {"flow", "roc", "precision_recall", "calibration", "learning_unet"}) {
    for (const char* ending : {".svg", ".pdf"})
      EXPECT_GT(fs::file_size(folder_ / ("figures/" + std::string(name) + ending)), 500U) << name << ending;
  }
}

TEST_F(Page, HoldsTablesMethodsAndChecklists) {
  const std::string html = page();
  for (const char* text :
       {"Fold by fold", "Confusion matrices", "what the CRF adds", "maps without tumour", "ensemble, before the CRF", "HD95 (µm)", "after Holm", "resamples of whole patients",
        "unet.learning_rate", "0.0005", "TRIPOD+AI 20a", "CLAIM 33", "3 images of unknown class were left out"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(html.find("permuted between patients"), std::string::npos);
}

TEST_F(Page, SaysThatLabelsWerePermuted) {
  report_.summary["permuted_labels"] = 5;
  EXPECT_NE(page().find("permuted between patients (seed 5)"), std::string::npos);
}

TEST_F(Page, AFigureThatIsMissingIsAnError) {
  fs::remove(folder_ / "figures/roc.svg");
  EXPECT_THROW(page(), InputError);
}

TEST(Flow, RefusesNoBoxes) { EXPECT_THROW(draw_flow("/tmp", {}), std::invalid_argument); }

TEST(Html, EscapesWhatComesFromTables) {
  EXPECT_EQ(html_table({{"a<b"}, {"\"&'"}}),
            "<div class=\"scroll\"><table><thead><tr><th "
            "scope=\"col\">a&lt;b</th></tr></thead><tbody>\n<tr><td>&quot;&amp;&#39;</td></tr>\n</tbody></table></div>\n");
}

// RFC 4648, section 10.
TEST(Html, Base64ByTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Html, CellsWithoutAValueAreDashes) {
  EXPECT_EQ(number_cell(nullptr), "–");
  EXPECT_EQ(interval_cell({{"value", nullptr}, {"ci", {nullptr, nullptr}}}), "–");
  EXPECT_EQ(interval_cell({{"value", 0.5}, {"ci", {nullptr, nullptr}}}), "0.500");
  EXPECT_EQ(interval_cell({{"value", 0.5}, {"ci", {0.4, 0.625}}}, 2), "0.50 (0.40–0.62)");
  EXPECT_EQ(p_value_cell(0.0004), "<0.001");
}

}  // namespace
}  // namespace clmnet::tools
