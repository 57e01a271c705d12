"""Cross-validates a few hundred images with configs/cv-smoke.toml, kills it in the middle and lets it go on."""
import collections
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CLMNET = sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("CLMNET_DATA", ROOT.parent / "shared" / "data"))
IMAGES = 240


def subset(target):
    """Every n-th patient's images, with absolute paths."""
    with open(DATA / "ebhi.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    patients = sorted({row["patient_id"] for row in rows})
    kept, names = [], set()
    for patient in patients[::2]:
        names.add(patient)
        kept = [row for row in rows if row["patient_id"] in names]
        if len(kept) >= IMAGES:
            break
    with open(target, "w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "mask", "patient_id", "diagnosis", "tumour"], extrasaction="ignore")
        writer.writeheader()
        for row in kept:
            writer.writerow({**row, "image": DATA / row["image"], "mask": DATA / row["mask"]})
    return kept


class CvSmoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="clmnet-cv-"))
        cls.rows = subset(cls.folder / "images.csv")
        cls.command = [CLMNET, "cv", "--manifest", str(cls.folder / "images.csv"), "--folds", "3", "--config",
                       str(ROOT / "configs" / "cv-smoke.toml"), "-o", str(cls.folder / "run"), "--json"]
        first = cls.folder / "run" / "repeat-1" / "fold-1" / "predictions.csv"
        process = subprocess.Popen(cls.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not first.exists() and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        cls.first_bytes = first.read_bytes()
        cls.first_time = first.stat().st_mtime_ns
        cls.result = subprocess.run(cls.command, capture_output=True, text=True, check=False)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def read(self, name):
        with open(self.folder / "run" / name, newline="") as file:
            return list(csv.DictReader(file))

    def test_goes_on_after_a_kill_and_keeps_what_was_done(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr[-2000:])
        first = self.folder / "run" / "repeat-1" / "fold-1" / "predictions.csv"
        self.assertEqual(first.read_bytes(), self.first_bytes)
        self.assertEqual(first.stat().st_mtime_ns, self.first_time)

    def test_every_image_is_predicted_once_and_no_patient_is_in_two_folds(self):
        wanted = collections.Counter(str(DATA / row["image"]) for row in self.rows if row["tumour"] != "-1")
        self.assertEqual(collections.Counter(row["image"] for row in self.read("predictions.csv")), wanted)
        folds = collections.defaultdict(set)
        for row in self.read("folds.csv"):
            folds[row["patient_id"]].add(row["fold"])
        self.assertEqual({len(its) for its in folds.values()}, {1})
        self.assertEqual({fold for its in folds.values() for fold in its}, {"1", "2", "3"})

    def test_result_holds_ensemble_and_networks(self):
        result = json.loads(self.result.stdout)
        self.assertEqual(result, json.loads((self.folder / "run" / "cv.json").read_text()))
        self.assertEqual(list(result["predictors"]), ["deeplabv3", "ensemble", "unet", "vgg16"])
        for predictor in result["predictors"].values():
            self.assertTrue(0 <= predictor["auc_ci"][0] <= predictor["auc"] <= predictor["auc_ci"][1] <= 1)
            self.assertEqual(len(predictor["folds"]["auc"]["values"]), 3)
        self.assertEqual(len(result["comparisons"]), 3)

    def test_report_is_one_file_that_loads_nothing(self):
        report = (self.folder / "run" / "report.html").read_text()
        self.assertGreaterEqual(report.count("<svg"), 6)
        for word in ("src=", "href=", "@import", "url("):
            self.assertNotIn(word, report)

    def test_another_configuration_in_the_same_folder_is_refused(self):
        other = subprocess.run([*self.command, "--repeats", "2"], capture_output=True, text=True, check=False)
        self.assertEqual(other.returncode, 1)
        self.assertIn("repeats was 1, now 2", other.stderr)

    def test_a_patient_on_both_sides_is_named(self):
        both = subprocess.run([*self.command, "--test-manifest", str(self.folder / "images.csv")], capture_output=True, text=True,
                              check=False)
        self.assertEqual(both.returncode, 1)
        self.assertRegex(both.stderr, r"patient '[^']+' is also in a manifest that is cross-validated")


if __name__ == "__main__":
    if not (DATA / "ebhi.csv").exists():
        print(f"skipped: {DATA}/ebhi.csv is absent; CLMNET_DATA names the data folder")
        sys.exit(77)
    unittest.main()
