"""configs/cv-smoke.toml: all of `clmnet cv` on a few hundred real images, with survival, a final model and its test."""
import collections
import pathlib
import sys
import tempfile
import unittest

import cv_case as case

CLMNET = sys.argv.pop(1)
IMAGES = 240


def subset(folder):
    """Every n-th patient's images with absolute paths; the last patients are kept for the final model's test."""
    rows = case.read_csv(case.DATA / "ebhi.csv")
    for row in rows:
        row.update(image=case.DATA / row["image"], mask=case.DATA / row["mask"])
    patients = sorted({row["patient_id"] for row in rows})
    kept = []
    for patient in patients[::2]:
        kept += [row for row in rows if row["patient_id"] == patient]
        if len(kept) >= IMAGES:
            break
    others = [row for row in rows if row["patient_id"] in patients[-11::2]]
    case.write_csv(folder / "images.csv", case.COLUMNS, kept)
    case.write_csv(folder / "others.csv", case.COLUMNS, others)
    case.write_csv(folder / "clinical.csv", case.CLINICAL_COLUMNS, case.clinical_of(kept))
    return kept, others


class CvSmoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="clmnet-cv-"))
        cls.rows, cls.others = subset(cls.folder)
        cls.result = case.run([CLMNET, "cv", "--manifest", str(cls.folder / "images.csv"), "--test-manifest", str(cls.folder / "others.csv"),
                               "--clinical", str(cls.folder / "clinical.csv"), *case.CLINICAL_OPTIONS, "--folds", "3", "--config",
                               str(case.ROOT / "configs" / "cv-smoke.toml"), "-o", str(cls.folder / "run"), "--json"])

    @classmethod
    def tearDownClass(cls):
        case.remove(cls.folder)

    def test_it_ends_well(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr[-2000:])

    def test_every_image_is_predicted_once_and_no_patient_is_in_two_folds(self):
        wanted = collections.Counter(str(row["image"]) for row in self.rows if row["tumour"] != "-1")
        self.assertEqual(collections.Counter(row["image"] for row in case.read_csv(self.folder / "run" / "predictions.csv")), wanted)
        folds = collections.defaultdict(set)
        for row in case.read_csv(self.folder / "run" / "folds.csv"):
            folds[row["patient_id"]].add(row["fold"])
        self.assertEqual({len(its) for its in folds.values()}, {1})
        self.assertEqual({fold for its in folds.values() for fold in its}, {"1", "2", "3"})

    def test_metrics_hold_ensemble_and_networks_with_intervals(self):
        metrics = case.load(self.folder / "run" / "metrics.json")
        self.assertEqual(list(metrics["predictors"]), ["deeplabv3", "ensemble", "unet", "vgg16"])
        for predictor in metrics["predictors"].values():
            for measure in ("auc", "accuracy", "recall", "specificity", "brier", "calibration_error"):
                lower, upper = predictor[measure]["ci"]
                self.assertTrue(0 <= lower <= upper <= 1, measure)
            self.assertEqual(len(predictor["folds"]["auc"]["values"]), 3)
            self.assertIn("by_patient", predictor)
        ensemble = metrics["predictors"]["ensemble"]
        for measure in ("dice", "hd95_um", "map_empty", "false_tumour_share"):
            change = ensemble[measure]["value"] - ensemble[f"{measure}_before_crf"]["value"]
            self.assertAlmostEqual(ensemble[f"{measure}_difference_crf"]["value"], change, 6, measure)
        self.assertLess(ensemble["hd95_um"]["value"], 2 ** 0.5 * 64 * 3.5)
        self.assertEqual(len(metrics["comparisons"]), 3)
        self.assertEqual(metrics["test"]["ensemble"]["n"], sum(row["tumour"] != "-1" for row in self.others))

    def test_everything_to_publish_from_is_there(self):
        names = {path.name for path in (self.folder / "run").iterdir()}
        self.assertLessEqual({"metrics.json", "predictions.csv", "predictions_patients.csv", "features.h5", "survival.json", "folds.csv",
                              "report.html", "figures", "examples", "model", "run.json"}, names)
        report = (self.folder / "run" / "report.html").read_text()
        for title in ("Best maps", "Worst maps", "Wrong calls", "Other patients", "Risk groups", "Checklists"):
            self.assertIn(title, report)


if __name__ == "__main__":
    if not (case.DATA / "ebhi.csv").exists():
        print(f"skipped: {case.DATA}/ebhi.csv is absent; CLMNET_DATA names the data folder")
        sys.exit(77)
    unittest.main()
