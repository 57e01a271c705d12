"""`clmnet cv` on drawn images: data checks, kills at any moment, folds side by side, failures, permuted labels, status."""
import collections
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import cv_case as case

CLMNET = sys.argv.pop(1)
REPORT = pathlib.Path(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].endswith(".html") else None  # where a report is left for cv_report
CONFIG = str(case.ROOT / "configs" / "cv-smoke.toml")


class Drawn(unittest.TestCase):
    """Two manifests of 24 patients together, a third of others, and a clinical table."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="clmnet-cv-"))
        cls.rows = case.draw_cohort(cls.folder, 24, 2)
        case.write_csv(cls.folder / "first.csv", case.COLUMNS, cls.rows[:24])
        case.write_csv(cls.folder / "second.csv", case.COLUMNS, cls.rows[24:])
        case.write_csv(cls.folder / "others.csv", case.COLUMNS, case.draw_cohort(cls.folder, 4, 1, seed=9, prefix="q"))
        case.write_csv(cls.folder / "clinical.csv", case.CLINICAL_COLUMNS, case.clinical_of(cls.rows))

    @classmethod
    def tearDownClass(cls):
        case.remove(cls.folder)

    @classmethod
    def command(cls, out, *more, manifests=("first.csv", "second.csv")):
        command = [CLMNET, "cv", "--folds", "2", "--threads", "1", "--config", CONFIG, "-o", str(cls.folder / out)]
        for manifest in manifests:
            command += ["--manifest", str(cls.folder / manifest)]
        return [*command, *more]

    @classmethod
    def clinical(cls):
        return ["--clinical", str(cls.folder / "clinical.csv"), *case.CLINICAL_OPTIONS]

    @classmethod
    def status(cls, out):
        return case.run([CLMNET, "status", str(cls.folder / out)])


class Checks(Drawn):
    def test_all_problems_are_listed_and_nothing_is_trained(self):
        rows = [dict(row) for row in self.rows]
        rows[0]["image"] = "absent.png"
        rows[5]["tumour"] = "7"
        (self.folder / "broken.png").write_bytes(b"no picture")
        rows[9]["image"] = "broken.png"
        case.write_png(self.folder / "small.png", bytes(16), 4, 1)
        rows[13]["mask"] = "small.png"
        shutil.copy(self.folder / rows[20]["image"], self.folder / "copy.png")
        rows[31]["image"] = "copy.png"
        case.write_csv(self.folder / "bad.csv", case.COLUMNS, rows)
        case.write_csv(self.folder / "both.csv", case.COLUMNS, [self.rows[40]])
        result = case.run(self.command("checked", "--test-manifest", str(self.folder / "both.csv"), manifests=["bad.csv"]))
        self.assertEqual(result.returncode, 1)
        for text in ("absent.png: no such file", "'7', expected a class", "broken.png: cannot be read as an image",
                     "small.png: the mask is 4 x 4, its image 64 x 64", f"of patient '{rows[31]['patient_id']}'",
                     f"of patient '{rows[20]['patient_id']}'", "same pixels", f"patient '{self.rows[40]['patient_id']}' is in a manifest"):
            self.assertIn(text, result.stderr)
        self.assertIn("problems with the data, nothing was trained", result.stderr)
        self.assertFalse((self.folder / "checked").exists())

    def test_a_class_with_too_few_patients_is_named(self):
        result = case.run([*self.command("few"), "--folds-file", str(self.write_folds(lambda i: 1 if i % 2 else 2))])
        self.assertEqual(result.returncode, 1)
        self.assertIn("no image of class 0 is tested", result.stderr)

    def write_folds(self, fold):
        path = self.folder / "given.csv"
        patients = sorted({row["patient_id"] for row in self.rows})
        case.write_csv(path, ["patient_id", "fold"], [{"patient_id": p, "fold": fold(i)} for i, p in enumerate(patients)])
        return path

    def test_what_is_wrong_with_the_clinical_table_is_said_before_training(self):
        for options, text in ((["--time", "months"], "--event"), (["--time", "nothing", "--event", "died"], "nothing"),
                              (["--time", "months", "--event", "died", "--horizon", "0.001"], "give another --horizon")):
            result = case.run(self.command("clinical", "--clinical", str(self.folder / "clinical.csv"), *options))
            self.assertEqual(result.returncode, 1, options)
            self.assertIn(text, result.stderr)
        self.assertFalse((self.folder / "clinical").exists())

    def test_status_of_no_run_is_an_error(self):
        self.assertEqual(self.status("nowhere").returncode, 1)


class Runs(Drawn):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        more = [*cls.clinical(), "--test-manifest", str(cls.folder / "others.csv")]
        cls.whole = case.run([*cls.command("whole", *more), "--json"])
        # The same, side by side, killed inside a network's training, then inside the survival part.
        killed = cls.command("killed", *more, "--jobs", "2")
        folds = [cls.folder / "killed" / "repeat-1" / f"fold-{k}" for k in (1, 2)]
        cls.killed_in_training = case.kill_when(killed, lambda: any((f / "training" / "vgg16.state").exists() for f in folds))
        cls.unfinished = not all((f / "training" / "finished.json").exists() for f in folds)
        cls.status_between = cls.status("killed").stdout
        cls.killed_in_survival = case.kill_when(
            killed, lambda: '"survival"' in cls.text("killed", "progress.json"))
        cls.no_result_yet = not (cls.folder / "killed" / "survival.json").exists()
        cls.last = case.run(killed)
        if REPORT and cls.whole.returncode == 0:
            REPORT.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(cls.folder / "whole" / "report.html", REPORT)

    @classmethod
    def text(cls, out, name):
        path = cls.folder / out / name
        return path.read_text() if path.exists() else ""

    def path(self, out, name):
        return self.folder / out / name

    def test_ends_with_the_same_numbers_however_it_was_stopped(self):
        self.assertEqual(self.whole.returncode, 0, self.whole.stderr[-2000:])
        self.assertEqual(self.last.returncode, 0, self.last.stderr[-2000:])
        self.assertTrue(self.killed_in_training and self.unfinished, "the kill came too late to test anything")
        self.assertTrue(self.killed_in_survival and self.no_result_yet, "the kill came too late to test anything")
        self.assertIn("finished before, left as it is", self.last.stderr)
        for name in ("metrics.json", "survival.json", "predictions.csv", "predictions_patients.csv", "folds.csv", "features.h5"):
            self.assertEqual(self.path("whole", name).read_bytes(), self.path("killed", name).read_bytes(), name)

    def test_status_follows_the_run(self):
        self.assertRegex(self.status_between, r"cv, (stopped|running): \d of 2 folds finished, \d+ of 6 epochs")
        self.assertIn("cv, finished: 2 of 2 folds", self.status("whole").stdout)

    def test_every_image_is_predicted_once_by_all(self):
        predictions = case.read_csv(self.path("whole", "predictions.csv"))
        images = collections.Counter(pathlib.Path(row["image"]).name for row in predictions)
        self.assertEqual(images, collections.Counter(row["image"] for row in self.rows))
        for name in ("ensemble", "vgg16", "deeplabv3", "unet"):
            self.assertIn(f"prob_{name}", predictions[0])
        patients = case.read_csv(self.path("whole", "predictions_patients.csv"))
        self.assertEqual({row["images"] for row in patients}, {"2"})
        self.assertEqual(len({row["patient_id"] for row in patients}), 24)

    def test_survival_has_every_set_and_method(self):
        survival = case.load(self.path("whole", "survival.json"))
        self.assertEqual([m["set"] for m in survival["models"]], ["vgg16", "deeplabv3", "unet", "ensemble", "clinical", "both"] * 2)
        self.assertEqual(survival["n"], 22)  # two lack an outcome
        self.assertEqual(survival["features"]["patients_without_images"], ["nobody"])
        for model in survival["models"]:
            self.assertTrue(model["auc_ci"][0] <= model["auc"] <= model["auc_ci"][1])
            self.assertEqual(sum(group["n"] for group in model["groups"]), 22)

    def test_a_patient_s_survival_fold_is_his_image_fold(self):
        folds = {row["patient_id"]: int(row["fold"]) for row in case.read_csv(self.path("whole", "folds.csv"))}
        for row in case.load(self.path("whole", "survival.json"))["patients"]:
            self.assertEqual(row["fold"][0] + 1, folds[row["patient"]])

    def test_report_figures_and_examples_are_there(self):
        report = self.path("whole", "report.html").read_text()
        self.assertEqual(set(re.findall(r'src="([^:"]*):', report)), {"data"})
        text = re.sub(r'src="data:[^"]*"', "", report)  # three letters in a row mean nothing in base64
        self.assertIn("<h1>", text)
        for word in ("http://", "https://", "@import", "NaN"):
            self.assertFalse(word in text, word)
        self.assertIn("km_ensemble_logistic.svg", {p.name for p in (self.folder / "whole" / "figures").iterdir()})
        for figure in (self.folder / "whole" / "figures").glob("*.svg"):
            self.assertTrue(figure.with_suffix(".pdf").exists(), figure)
        self.assertGreaterEqual(len(list((self.folder / "whole" / "examples").glob("*.jpg"))), 4)

    def test_the_final_model_is_tested_on_other_patients(self):
        self.assertEqual(case.load(self.path("whole", "metrics.json"))["test"]["ensemble"]["n"], 4)
        self.assertTrue(self.path("whole", "model/config.json").exists())

    def test_predictions_of_an_older_version_are_made_again_without_training(self):
        run = self.folder / "older"
        shutil.copytree(self.folder / "killed", run)
        fold = run / "repeat-1" / "fold-2"
        whole = (fold / "predictions.csv").read_bytes()
        rows = case.read_csv(fold / "predictions.csv")
        case.write_csv(fold / "predictions.csv", [name for name in rows[0] if not re.match("hd95_um_|map_empty_|false_tumour_share_", name)], rows)
        weights = {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")}
        again = case.run([*self.command("older", *self.clinical(), "--test-manifest", str(self.folder / "others.csv"))])
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        self.assertIn("fold 1/2 finished before, left as it is", again.stderr)
        self.assertIn("fold 2/2 predictions.csv lacks 'hd95_um_ensemble'", again.stderr)
        self.assertEqual((fold / "predictions.csv").read_bytes(), whole)
        self.assertEqual({path: path.stat().st_mtime_ns for path in weights}, weights)
        self.assertEqual((run / "metrics.json").read_bytes(), self.path("whole", "metrics.json").read_bytes())

    def test_another_configuration_in_the_same_folder_is_refused(self):
        result = case.run(self.command("whole"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("holds a run of another configuration", result.stderr)


class Stops(Drawn):
    def stopped(self, command):
        """What is said after Ctrl-C in the first training."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "training on" in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 130, said)
        return said

    def test_ctrl_c_in_a_training_says_how_to_go_on(self):
        self.assertIn("interrupted; what is finished is kept; the same command goes on", self.stopped(self.command("stopped")))

    def test_seeds_share_their_folds_where_they_share_split_seed(self):
        folds = []
        for seed, more in ((1, ""), (2, ""), (2, "split_seed = 1\n")):
            config = self.folder / f"{len(folds)}.toml"
            text = pathlib.Path(CONFIG).read_text()
            self.assertIn("[training]\n", text)
            config.write_text(text.replace("[training]\n", f"[training]\nseed = {seed}\n{more}"))
            self.stopped([str(config) if word == CONFIG else word for word in self.command(f"seed-{len(folds)}")])
            folds.append((self.folder / f"seed-{len(folds)}" / "folds.csv").read_bytes())
        self.assertNotEqual(folds[0], folds[1])
        self.assertEqual(folds[0], folds[2])


class Failures(Drawn):
    def test_a_fold_that_fails_is_kept_and_tried_again_and_permuted_labels_say_nothing(self):
        command = self.command("failing", "--permute-labels", "4", *self.clinical())
        training = self.folder / "failing" / "repeat-1" / "fold-1" / "training"
        case.kill_when(command, lambda: (training / "vgg16.state").exists())
        (training / "vgg16.state").write_bytes(b"damaged")
        result = case.run(command)
        self.assertEqual(result.returncode, 1)
        self.assertIn("1 of 2 folds failed", result.stderr)
        self.assertTrue((training.parent.parent / "fold-2" / "fold.json").exists())
        status = self.status("failing").stdout
        self.assertRegex(status, r"repeat-1/fold-1  failed.*vgg16\.state")
        self.assertIn("last failure: repeat-1/fold-1", status)
        (training / "vgg16.state").unlink()
        again = case.run(command)
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        self.assertIn("fold 2/2 finished before", again.stderr)
        self.assertNotIn("failure", self.status("failing").stdout)
        metrics = case.load(self.folder / "failing" / "metrics.json")
        for name, predictor in metrics["predictors"].items():
            lower, upper = predictor["auc"]["ci"]
            self.assertTrue(lower <= 0.5 <= upper, (name, predictor["auc"]))
        self.assertIn("permuted between patients", (self.folder / "failing" / "report.html").read_text())


class AnnotatedSlides(unittest.TestCase):
    def test_their_tiles_are_folded_by_patient_and_a_missing_annotation_is_named(self):
        with tempfile.TemporaryDirectory(prefix="clmnet-cv-slides-") as name:
            folder = pathlib.Path(name)
            rows = []
            for seed in range(1, 7):
                rows.append({"slide": f"s{seed}.svs", "annotation": f"s{seed}.geojson", "patient_id": f"P{seed}"})
                drawn = case.run([CLMNET, "synth", "-o", str(folder / f"s{seed}.svs"), "--seed", str(seed), "--width-px", "1536", "--height-px",
                                  "1536", "--um-per-px", "1", "--geojson", str(folder / f"s{seed}.geojson")])
                self.assertEqual(drawn.returncode, 0, drawn.stderr)
            case.write_csv(folder / "slides.csv", ["slide", "annotation", "patient_id"], rows)
            (folder / "config.toml").write_text(pathlib.Path(CONFIG).read_text() + "\n[tiles]\num_per_px = 1.0\ntile_px = 224\n")
            command = [CLMNET, "cv", "--folds", "2", "--threads", "1", "--config", str(folder / "config.toml"), "-o", str(folder / "run"),
                       "--manifest", str(folder / "slides.csv")]
            result = case.run(command)
            self.assertEqual(result.returncode, 0, result.stderr[-2000:])
            predictions = case.read_csv(folder / "run" / "predictions.csv")
            self.assertGreater(len(predictions), 60)
            self.assertEqual({row["patient_id"] for row in predictions}, {row["patient_id"] for row in rows})
            for row in predictions:
                self.assertRegex(row["image"], f"s{row['patient_id'][1:]}.svs@[0-9]+_[0-9]+$")
            folds = collections.defaultdict(set)
            for row in predictions:
                folds[row["patient_id"]].add(row["fold"])
            self.assertEqual({len(of) for of in folds.values()}, {1})
            (folder / "s3.geojson").unlink()
            result = case.run([*command[:-3], str(folder / "other"), *command[-2:]])
            self.assertEqual(result.returncode, 1)
            self.assertIn("s3.geojson: no such file", result.stderr)
            self.assertFalse((folder / "other").exists())


if __name__ == "__main__":
    unittest.main()
