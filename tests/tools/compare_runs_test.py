"""tools/compare-runs on drawn runs of `clmnet cv` whose numbers are known by hand."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1))
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "compare-runs")
COLUMNS = ["image", "patient_id", "tumour", "repeat", "prob_ensemble", "prob_unet", "dice_ensemble", "dice_unet", "dice_before_crf"]
# Two images a patient, one of them tumour; the ensemble ranks all right, the U-Net ranks P3's pair wrongly.
ROWS = [["a", "P1", 0, 1, 0.1, 0.1, "", "", ""], ["b", "P1", 1, 1, 0.9, 0.9, 0.9, 0.8, 0.7],
        ["c", "P2", 0, 1, 0.2, 0.2, "", "", ""], ["d", "P2", 1, 1, 0.8, 0.8, 0.7, 0.6, 0.5],
        ["e", "P3", 0, 1, 0.3, 0.95, "", "", ""], ["f", "P3", 1, 1, 0.7, 0.7, 0.5, 0.4, 0.3],
        ["g", "P3", -1, 1, 0.5, 0.5, "", "", ""]]


def measure(value, lower, upper):
    return {"value": value, "ci": [lower, upper]}


METRICS = {"predictors": {"unet": {"auc": measure(0.7, 0.6, 0.8), "accuracy": measure(0.5, 0.25, 0.75), "dice": measure(0.6, 0.4, 0.8),
                                   "hd95_um": measure(31.26, 20, 40), "false_tumour_share": measure(0.06, 0.04, 0.1)},
                          "ensemble": {"auc": measure(1, 0.9, 1), "accuracy": measure(0.75, 0.5, 1), "dice": measure(0.7, 0.5, 0.9),
                                       "hd95_um": measure(None, None, None), "dice_before_crf": measure(0.5, 0.3, 0.7)}},
           "comparisons": [{"network": "unet", "delong_p": 0.0004, "delong_p_holm": 0.5}]}


class CompareRuns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_folder(self, name, rows, metrics=None):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        with open(os.path.join(folder, "predictions.csv"), "w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        with open(os.path.join(folder, "metrics.json"), "w") as file:
            json.dump(METRICS if metrics is None else metrics, file)
        return folder

    def compare(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, "--clmnet", CLMNET, *arguments], capture_output=True, text=True, timeout=100)

    def cells(self, output):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if line]
        return {(row[0], row[1]): row[2:] for row in rows}

    def test_networks_of_one_run(self):
        done = self.compare("all=" + self.run_folder("all", ROWS))
        self.assertEqual(done.returncode, 0, done.stderr)
        cells = self.cells(done.stdout)
        self.assertEqual(cells["all", "ensemble"], ["1.000 (0.900 to 1.000)", "", "0.750 (0.500 to 1.000)", "0.700 (0.500 to 0.900)", "", ""])
        self.assertEqual(cells["all", "U-Net"],
                         ["0.700 (0.600 to 0.800)", "< 0.001", "0.500 (0.250 to 0.750)", "0.600 (0.400 to 0.800)", "31.3 (20.0 to 40.0)",
                          "0.060 (0.040 to 0.100)"])
        self.assertEqual(cells["all", "ensemble before the CRF"], ["", "", "", "0.500 (0.300 to 0.700)", "", ""])
        self.assertEqual([row for row in cells], [("run", "predictor"), ("---", "---"), ("all", "ensemble"), ("all", "U-Net"),
                                                  ("all", "ensemble before the CRF")])

    def test_a_run_less_the_first(self):
        worse = [row[:6] + [value - 0.2 if value else value for value in row[6:]] for row in ROWS]
        worse[5] = worse[5][:4] + [0.15] + worse[5][5:]  # f is below c and e now: 2 of 9 pairs
        done = self.compare("all=" + self.run_folder("all", ROWS), "less=" + self.run_folder("less", worse))
        self.assertEqual(done.returncode, 0, done.stderr)
        cells = self.cells(done.stdout.split("\n\n")[1])
        self.assertTrue(cells["less", "ensemble"][0].startswith("-0.222 "), cells)
        self.assertEqual(cells["less", "ensemble"][2], "-0.200 (-0.200 to -0.200)")
        self.assertTrue(cells["less", "U-Net"][0].startswith("+0.000 "), cells)

    def test_runs_of_other_images_are_not_compared(self):
        done = self.compare("all=" + self.run_folder("all", ROWS), "less=" + self.run_folder("less", ROWS[:-1]))
        self.assertEqual(done.returncode, 1)
        self.assertIn("were not tested on the same images: g is in one only", done.stderr)

    def test_what_is_no_run(self):
        done = self.compare("all=" + os.path.join(self.folder, "none"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected a finished folder of `clmnet cv`", done.stderr)
        self.assertEqual(self.compare("all").returncode, 1)
        self.assertIn("expected NAME=RUN", self.compare("all").stderr)
        for change in ({"predictors": {}}, {"comparisons": []}, {**METRICS, "predictors": {"unet": {"auc": measure(1, 1, 1)}}}, [], "text"):
            with self.subTest(metrics=change):
                done = self.compare("all=" + self.run_folder(f"broken{len(os.listdir(self.folder))}", ROWS, change))
                self.assertEqual(done.returncode, 1)
                self.assertIn("is not as `clmnet cv` of this version writes it", done.stderr)

    def test_a_program_that_is_not_there_is_named(self):
        done = self.compare("--clmnet", "no-such-program", "all=" + self.run_folder("all", ROWS), "less=" + self.run_folder("less", ROWS))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-program: No such file or directory; give the program with --clmnet", done.stderr)

    def test_the_programs_error_is_passed_on(self):
        one_class = [row[:2] + [0] + row[3:] for row in ROWS]
        done = self.compare("all=" + self.run_folder("all", one_class), "less=" + self.run_folder("less", one_class))
        self.assertEqual(done.returncode, 1)
        self.assertIn("tumour", done.stderr)


if __name__ == "__main__":
    unittest.main()
