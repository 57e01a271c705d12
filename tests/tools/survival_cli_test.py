"""`clmnet survival` as a user meets it, on a drawn cohort: results, figures, bad input.

Usage: survival_cli_test.py CLMNET
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"
COVARIATES = "age,sex,clinrisk_score"


def run(*arguments):
    return subprocess.run([CLMNET, *map(str, arguments)], capture_output=True, text=True, timeout=250, check=False)


class Survival(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.cohort = os.path.join(cls.folder, "cohort.csv")
        assert run("synth-cohort", "-o", cls.cohort, "--patients", 120).returncode == 0
        cls.outcome = ("--data", cls.cohort, "--time", "overall_survival_months", "--event", "vital_status")

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def fails(self, *words, arguments):
        done = run("survival", *arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertRegex(done.stderr, r"^clmnet: ")
        for word in words:
            self.assertIn(word, done.stderr)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_forest_plot(self):
        path = os.path.join(self.folder, "forest.svg")
        done = run("survival", "cox", *self.outcome, "--covariates", COVARIATES, "--figure", path, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = json.loads(done.stdout)
        with open(path, encoding="utf-8") as svg:
            text = svg.read()
        for one in found["coefficients"]:
            self.assertIn(f"{one['hazard_ratio']:.2f} ({one['lower']:.2f}–{one['upper']:.2f})", text)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_names_of_curves(self):
        path = os.path.join(self.folder, "km.svg")
        arguments = ("km", *self.outcome, "--group", "sex", "--figure", path)
        self.assertEqual(run("survival", *arguments, "--group-names", "Men,Women").returncode, 0)
        with open(path, encoding="utf-8") as svg:
            text = svg.read()
        self.assertIn("Women: ", text)
        self.fails("--group-names has 1 names", "2 values", arguments=(*arguments, "--group-names", "Men"))

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_fit_then_predict(self):
        out = os.path.join(self.folder, "OUT")
        done = run("survival", "fit", *self.outcome, "--covariates", COVARIATES, "--horizon", 36, "--trees", 50, "--repeats", 2, "-o", out, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual([one["model"] for one in found["models"]], ["logistic", "forest", "cox", "rsf"])
        self.assertEqual({one["set"] for one in found["models"]}, {"clinical"})
        self.assertEqual(found["cross_validation"]["repeats"], 2)
        for name in ("km.svg", "km.pdf", "km_forest.svg", "roc.pdf", "calibration.svg", "model.json", "survival.json"):
            self.assertTrue(os.path.getsize(os.path.join(out, name)) > 500, name)
        done = run("survival", "predict", "--model", out, "--data", self.cohort, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        risks = [one["risk"] for one in json.loads(done.stdout)["patients"]]
        self.assertEqual(len(risks), 120)
        self.assertTrue(all(0 < risk < 1 for risk in risks))
        high = sum(one["group"] == "high" for one in json.loads(done.stdout)["patients"])
        self.assertEqual(high, 60)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_forests_that_cannot_split_are_named(self):
        rows = "".join(f"{3 * i + 1},{i % 2},{i}\n" for i in range(10))
        data = self.file("few.csv", "months,died,age\n" + rows)
        fit = ("fit", "--data", data, "--time", "months", "--event", "died", "--covariates", "age", "--folds", 2, "--trees", 5)
        found = json.loads(run("survival", *fit, "--models", "rsf,cox", "-o", os.path.join(self.folder, "FEW"), "--json").stdout)
        self.assertEqual(len(found["warnings"]), 1)
        self.assertIn("clinical rsf: a leaf takes 5 patients", found["warnings"][0])
        self.assertEqual(found["horizon"], 16)   # the third of the event times 4, 10, 16, 22, 28
        text = run("survival", *fit, "--models", "cox", "-o", os.path.join(self.folder, "FEW2")).stdout
        self.assertNotIn("Warning", text)

    def test_codes_in_brackets(self):
        data = self.file("tcga.csv", "t,d,stage\n1,1,[Not Available]\n2,1,I\n3,0,II\n4,1,NA\n")
        done = run("survival", "km", "--data", data, "--time", "t", "--event", "d", "--group", "stage", "--missing", "[Not Available]", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["cohort"]["missing"], {"stage": 2})

    def test_bad_input(self):
        out = os.path.join(self.folder, "none")
        fit = ("fit", *self.outcome, "--horizon", 36, "-o", out)
        slides = self.file("slides.csv", "slide,patient_id\n")
        self.fails("nothing to learn from", arguments=fit)
        self.fails("belong together", arguments=(*fit, "--features", self.folder))
        self.fails("no slide belongs to a patient", arguments=(*fit, "--features", self.folder, "--slides", slides))
        self.fails("no column 'slide'", arguments=(*fit, "--features", self.folder, "--slides", self.file("wrong.csv", "file,patient_id\n")))
        self.fails("--sets both needs --features", arguments=(*fit, "--covariates", "age", "--sets", "both"))
        self.fails("holds something else", arguments=("fit", *self.outcome, "--horizon", 36, "--covariates", "age", "-o", self.folder))
        self.assertFalse(os.path.exists(out))
        self.fails("model.json", arguments=("predict", "--model", self.file("model.json", "{}"), "--data", self.cohort))
        for wrong in (("--models", "svm"), ("--pooling", "median"), ("--folds", 1), ("--sets", "resnet")):
            done = run("survival", *fit, "--covariates", "age", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ""), wrong)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
