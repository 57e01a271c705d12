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


class CompareRuns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_folder(self, name, rows):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        with open(os.path.join(folder, "predictions.csv"), "w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        accuracy = {"accuracy": {"value": 0.75, "ci": [0.5, 1.0]}}
        with open(os.path.join(folder, "metrics.json"), "w") as file:
            json.dump({"predictors": {"unet": accuracy, "ensemble": accuracy}}, file)
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
        self.assertTrue(cells["all", "ensemble"][0].startswith("1.000 "), cells)
        self.assertTrue(cells["all", "U-Net"][0].startswith("0.667 "), cells)  # of 9 pairs, e is above b, d and f
        self.assertRegex(cells["all", "U-Net"][1], r"^0\.\d{3}$")
        self.assertEqual(cells["all", "ensemble"][2], "0.750 (0.500 to 1.000)")
        self.assertTrue(cells["all", "ensemble"][3].startswith("0.700 (0.500 to 0.9"), cells)
        self.assertTrue(cells["all", "ensemble before the CRF"][3].startswith("0.500 "), cells)

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

    def test_the_programs_error_is_passed_on(self):
        one_class = [row[:2] + [0] + row[3:] for row in ROWS]
        done = self.compare("all=" + self.run_folder("all", one_class))
        self.assertEqual(done.returncode, 1)
        self.assertIn("tumour", done.stderr)


if __name__ == "__main__":
    unittest.main()
