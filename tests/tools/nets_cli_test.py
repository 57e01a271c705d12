"""clmnet bench nets, export, and analyze with programs, flips and activations, on a slide drawn here."""
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

CLMNET = sys.argv.pop(1)


def run(*arguments, **how):
    return subprocess.run([CLMNET, *map(str, arguments)], capture_output=True, text=True, check=False, **how)


class Bench(unittest.TestCase):
    def test_gives_rates_beside_the_machines_peak(self):
        done = run("bench", "nets", "--width", 0.1, "--px", 64, "--networks", "vgg16,resnet50", "--batch", 2, "--repeats", 2,
                   "--device", "cpu", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertGreater(result["peak_gflops"], 1)
        for name in ("vgg16", "resnet50", "ensemble"):
            row = result[name]
            self.assertAlmostEqual(row["gflops"], row["gflop_per_image"] * row["images_per_s"], delta=1e-6 * row["gflops"])
            self.assertAlmostEqual(row["of_peak"], row["gflops"] / result["peak_gflops"], places=9)
            self.assertAlmostEqual(row["over_eager"], row["images_per_s"] / row["eager_images_per_s"], places=9)
        for name in ("vgg16", "resnet50"):
            self.assertLess(result[name]["relative_difference_of_logits"], 1e-3)
        self.assertAlmostEqual(result["ensemble"]["gflop_per_image"],
                               result["vgg16"]["gflop_per_image"] + result["resnet50"]["gflop_per_image"], places=9)

    def test_counts_vgg16_as_published(self):
        done = run("bench", "nets", "--width", 1, "--networks", "vgg16", "--batch", 1, "--repeats", 1, "--device", "cpu", "--json")
        # 15.35 G products in VGG16's convolutions at 224 px; gates and the last layer are 0.1 % of it.
        self.assertAlmostEqual(json.loads(done.stdout)["vgg16"]["gflop_per_image"], 2 * 15.35, delta=0.05)

    def test_refuses_what_makes_no_sense(self):
        for arguments, words in ((["--width", 0.1, "--networks", "vit"], "no network 'vit'"),
                                 (["--width", 9], "--width"),
                                 (["--model", "none"], "no such model folder"),
                                 (["--width", 0.1, "--model", "none"], "excludes")):
            done = run("bench", "nets", *arguments)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr + done.stdout)


class Waiting(unittest.TestCase):
    """OMP_DISPLAY_ENV lets libgomp print the settings it runs with."""
    def spins(self, **given):
        theirs = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        done = run("evaluate", "--help", env={**theirs, "OMP_DISPLAY_ENV": "verbose", **given})
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.search(r"GOMP_SPINCOUNT = '(\w+)'", done.stderr).group(1)

    def test_threads_give_busy_cores_back_soon(self):
        self.assertEqual(self.spins(), "2000")

    def test_the_users_setting_goes_first(self):
        self.assertEqual(self.spins(GOMP_SPINCOUNT="777"), "777")
        self.assertEqual(self.spins(OMP_WAIT_POLICY="passive"), "0")


class Analyze(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="clmnet-nets-"))
        cls.slide = cls.folder / "drawn.svs"
        run("synth", "-o", cls.slide, "--width-px", 1200, "--height-px", 1200)
        # A slide's colours are normalised by the slide, a program's by each tile: compared is what follows.
        cls.model = cls.folder / "model"
        shutil.copytree(pathlib.Path(__file__).parents[2] / "nets" / "zoo" / "clmnet-s", cls.model)
        config = json.loads((cls.model / "config.json").read_text())
        del config["clmnet"]["stain"]
        (cls.model / "config.json").write_text(json.dumps(config))
        cls.exported = run("export", "--model", cls.model, "-o", cls.folder / "zoo", "--json")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def analyze(self, out, *more):
        done = run("analyze", self.slide, "-o", self.folder / out, "--device", "cpu", "--json", *more)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return json.loads(done.stdout)["slides"][0], self.folder / out / "drawn"

    def tiles(self, folder):
        lines = (folder / "tiles.csv").read_text().splitlines()
        column = lines[0].split(",").index("prob_tumour")
        return [float(line.split(",")[column]) for line in lines[1:]]

    def test_an_exported_model_says_the_same_of_tiles(self):
        self.assertEqual(self.exported.returncode, 0, self.exported.stderr)
        self.assertNotIn("clmnet", json.loads((self.folder / "zoo" / "config.json").read_text()))
        _, ours = self.analyze("ours", "--model", self.model)
        summary, theirs = self.analyze("theirs", "--model", self.folder / "zoo")
        self.assertIn("one class per tile", summary["warnings"][0])
        self.assertFalse((theirs / "features.h5").exists())
        self.assertTrue((theirs / "heatmap.tiff").exists())
        a, b = self.tiles(ours), self.tiles(theirs)
        self.assertGreater(len(a), 3)
        self.assertLess(max(abs(x - y) for x, y in zip(a, b, strict=True)), 1e-3)

    def test_activations_and_flips_are_asked_for(self):
        (self.folder / "more.toml").write_text("[map]\nclass_activation = true\n[model]\ntta = true\n")
        _, plain = self.analyze("plain")
        _, more = self.analyze("more", "--config", self.folder / "more.toml")
        for network in ("vgg16", "deeplabv3", "unet"):
            self.assertTrue((more / f"activation_{network}.tiff").exists())
            self.assertIn(f"activation_{network}.tiff", json.loads((more / "summary.json").read_text())["output_bytes"])
            self.assertFalse((plain / f"activation_{network}.tiff").exists())
        self.assertNotEqual(self.tiles(plain), self.tiles(more))

    def test_more_threads_than_cores_are_lowered_and_said(self):
        for command in ("analyze", "evaluate"):
            done = run(command, *(["none.svs"] if command == "analyze" else ["--manifest", "none.csv"]), "--threads", 4096,
                       *(["-o", self.folder / "threads"] if command == "analyze" else []))
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"clmnet: --threads 4096: there are \d+ cores to use")
        refused = run("evaluate", "--manifest", "none.csv", "--threads", -1)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("--threads", refused.stderr)

    def test_export_refuses_a_folder_that_holds_something_and_a_program(self):
        self.assertIn("is not empty", run("export", "-o", self.folder).stderr)
        again = run("export", "--model", self.folder / "zoo", "-o", self.folder / "again")
        self.assertEqual(again.returncode, 1)
        self.assertIn("TorchScript", again.stderr)

    def test_a_full_disk_is_said_and_leaves_nothing_half(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))  # noqa: E731
        for arguments, file in ((["export", "-o", self.folder / "full"], r"torchscript_model\.pt"),
                                (["analyze", self.slide, "-o", self.folder / "full-run", "--device", "cpu"], r"drawn/\S+")):
            done = run(*arguments, preexec_fn=limit)
            self.assertEqual(done.returncode, 1, done.stderr[-2000:])
            self.assertRegex(done.stderr, file + ": cannot be .*; free some disk space")
        self.assertEqual(list((self.folder / "full").iterdir()), [])
        self.assertFalse((self.folder / "full-run" / "drawn" / "summary.json").exists())
        self.assertFalse([path for path in (self.folder / "full-run").rglob("*") if ".part" in path.name])
        self.analyze("full-run")  # goes on

    def test_a_program_has_no_activation(self):
        (self.folder / "activation.toml").write_text("[map]\nclass_activation = true\n")
        done = run("analyze", self.slide, "-o", self.folder / "none", "--model", self.folder / "zoo", "--config",
                   self.folder / "activation.toml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("shows no activation", done.stderr)


if __name__ == "__main__":
    unittest.main()
