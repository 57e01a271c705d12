"""Trains tiny networks on drawn images; kills a run in the middle, lets it go on and compares the weights bit by bit."""
import csv
import json
import pathlib
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree
import zlib

CLMNET = sys.argv.pop(1)
SIDE = 48
CONFIG = """
[model]
name = "tiny"
patch_size_px = 32
networks = ["vgg16", "unet"]
[training]
batch = 8
validation_fraction = 0.25
focal_gamma = 1.0
class_balance = true
accumulate = 2
[augment]
crop_px = 32
[fusion]
views = 1
sensitivity = 0.9
[vgg16]
width = 0.05
epochs = 3
[unet]
width = 0.05
epochs = 2
"""


def write_png(path, channels, pixel):
    """pixel(x, y) gives the bytes of a pixel."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(SIDE)) for y in range(SIDE))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2 if channels == 3 else 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def draw(folder):
    """96 images of 24 patients: tumour is a dark disc on pale ground, its mask beside it."""
    drawn = random.Random(1)
    with open(folder / "images.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mask", "patient_id", "diagnosis", "tumour"])
        for i in range(96):
            patient, tumour = i // 4, i // 4 % 2
            cx, cy, r = drawn.uniform(12, 36), drawn.uniform(12, 36), drawn.uniform(8, 14)

            def inside(x, y):
                return tumour and (x - cx) ** 2 + (y - cy) ** 2 < r * r

            write_png(folder / f"{i}.png", 3, lambda x, y: [(100 if inside(x, y) else 200) + drawn.randrange(40), 90, 160])
            write_png(folder / f"{i}m.png", 1, lambda x, y: [255 if inside(x, y) else 0])
            writer.writerow([f"{i}.png", f"{i}m.png", f"p{patient}", "x", tumour])


class Train(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="clmnet-train-"))
        draw(cls.folder)
        (cls.folder / "tiny.toml").write_text(CONFIG)
        cls.unbroken = cls.train("unbroken")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def command(cls, out, *more, config="tiny.toml"):
        return [CLMNET, "train", "--manifest", str(cls.folder / "images.csv"), "--config", str(cls.folder / config),
                "--device", "cpu", "-o", str(cls.folder / out), *more]

    @classmethod
    def train(cls, out, *more, config="tiny.toml"):
        return subprocess.run(cls.command(out, *more, config=config), capture_output=True, text=True, check=False)

    def epochs_of(self, out):
        try:
            with open(self.folder / out / "training" / "train.csv", newline="") as file:
                return len(list(csv.DictReader(file)))
        except FileNotFoundError:
            return 0

    def kill_after(self, epochs, out, *more):
        """Starts a training and kills it, with no time to tidy up, once so many epochs of the run stand in train.csv."""
        process = subprocess.Popen(self.command(out, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.epochs_of(out) < epochs and process.poll() is None:
            time.sleep(0.005)
        time.sleep(0.05)  # into the next epoch
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL, "it ended before it was killed")

    def test_a_run_that_was_killed_twice_ends_with_the_same_bytes(self):
        self.assertEqual(self.unbroken.returncode, 0, self.unbroken.stderr[-2000:])
        self.kill_after(1, "killed")                    # in epoch 2 of vgg16
        self.assertFalse((self.folder / "killed" / "config.json").exists())
        self.kill_after(4, "killed", "--resume")        # in epoch 2 of unet
        again = self.train("killed", "--resume")
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        for name in ("vgg16.safetensors", "unet.safetensors", "config.json"):
            self.assertEqual((self.folder / "unbroken" / name).read_bytes(), (self.folder / "killed" / name).read_bytes(), name)

    def test_a_full_disk_is_said_and_the_run_goes_on_from_what_was_whole(self):
        weights = (self.folder / "unbroken" / "vgg16.safetensors").stat().st_size
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (weights + 1000, weights + 1000))  # noqa: E731
        done = subprocess.run(self.command("full"), capture_output=True, text=True, check=False, preexec_fn=limit)
        self.assertEqual(done.returncode, 1, done.stderr[-2000:])  # of the state, which is larger than the weights
        self.assertRegex(done.stderr, r"vgg16\.state: cannot be written, nothing was changed \(.*\); free some disk space")
        left = [path.name for path in (self.folder / "full").rglob("*") if ".part" in path.name or path.suffix == ".state"]
        self.assertEqual(left, [])
        again = self.train("full", "--resume")
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        for name in ("vgg16.safetensors", "unet.safetensors", "config.json"):
            self.assertEqual((self.folder / "unbroken" / name).read_bytes(), (self.folder / "full" / name).read_bytes(), name)

    def test_the_run_explains_itself(self):
        training = self.folder / "unbroken" / "training"
        run = json.loads((training / "training.json").read_text())
        self.assertEqual(run["configuration"]["training"]["focal_gamma"], 1)
        self.assertEqual(run["configuration"]["training"]["accumulate"], 2)
        self.assertEqual(run["configuration"]["training"]["warmup"], 0.05, "defaults too")
        self.assertEqual(len(run["data_sha256"]), 64)
        self.assertIn("git_commit", run)
        for network in ("vgg16", "unet"):
            self.assertLessEqual(run["calibration"][network]["after"], 1)
            for kind in ("loss", "quality"):
                root = xml.etree.ElementTree.parse(training / f"{kind}_{network}.svg").getroot()
                words = {text.strip() for text in root.itertext()}
                self.assertLessEqual({"loss": {"training", "validation"}, "quality": {"accuracy", "Dice"}}[kind], words)
        self.assertIn("expected calibration error", self.unbroken.stderr)
        losses = re.search("log loss of the class .*: (.*)", self.unbroken.stderr).group(1).split(", ")
        losses = {name: float(value) for name, value in (each.split(" ") for each in losses)}
        self.assertEqual(set(losses), {"vgg16", "unet", "ensemble"})
        self.assertLess(losses["ensemble"], min(losses[name] for name in losses if name != "ensemble") + 0.01)
        config = json.loads((self.folder / "unbroken" / "config.json").read_text())["clmnet"]
        self.assertEqual(config["sensitivity"], 0.9)
        self.assertEqual(config["class_ece"], run["calibration"]["ensemble"]["after"])

    def test_evaluates_with_and_without_flips(self):
        def evaluate(*more):
            done = subprocess.run([CLMNET, "evaluate", "--model", str(self.folder / "unbroken"), "--device", "cpu", "--manifest",
                                   str(self.folder / "images.csv"), "--json", *more], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            return json.loads(done.stdout)

        once, eight = evaluate(), evaluate("--tta")
        self.assertNotEqual(once["ensemble"]["ece"], eight["ensemble"]["ece"])
        for result in (once, eight):
            self.assertTrue(0 <= result["vgg16"]["ece"] <= 1)

    def test_robustness_changes_the_images_and_not_the_rest(self):
        command = [CLMNET, "evaluate", "--model", str(self.folder / "unbroken"), "--device", "cpu", "--manifest",
                   str(self.folder / "images.csv"), "--robustness"]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        result = json.loads(done.stdout)
        changed = result.pop("robustness")
        self.assertEqual(list(changed), sorted(["as they are", "finer", "coarser", "stain", "colour", "focus"]))
        for predictor, scores in result.items():
            for key in ("n", "positives", "auc", "accuracy"):
                self.assertEqual(changed["as they are"][predictor][key], scores[key], f"{predictor} {key}")
        for name in ("finer", "coarser", "stain", "colour", "focus"):
            self.assertNotEqual(changed[name]["ensemble"]["dice"], result["ensemble"]["dice"], name)
        again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        self.assertEqual(again.stdout, done.stdout, "the same changes each time")
        table = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        self.assertRegex(table, r"(?m)^stain +\d\.\d{4}  \d\.\d{4} .*optical density$")

    def test_predictions_that_cannot_be_written_are_said_before_the_work(self):
        done = subprocess.run([CLMNET, "evaluate", "--model", str(self.folder / "unbroken"), "--device", "cpu", "--manifest",
                               str(self.folder / "images.csv"), "--predictions", str(self.folder / "none" / "p.csv")],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such folder to write p.csv into", done.stderr)
        self.assertNotIn("images", done.stderr.replace("images.csv", ""))

    def test_evaluates_maps_with_intervals_and_what_the_crf_adds(self):
        table = self.folder / "predictions.csv"
        done = subprocess.run([CLMNET, "evaluate", "--model", str(self.folder / "unbroken"), "--device", "cpu", "--manifest",
                               str(self.folder / "images.csv"), "--predictions", str(table), "--json"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        result = json.loads(done.stdout)
        self.assertNotIn("hd95_um_before_crf", result["unet"])
        with open(table, newline="") as file:
            rows = list(csv.DictReader(file))
        for measure, tumour in (("dice", "1"), ("hd95_um", "1"), ("map_empty", "1"), ("false_tumour_share", "0")):
            values = [(float(row[f"{measure}_ensemble"]), float(row[f"{measure}_before_crf"])) for row in rows if row[f"{measure}_ensemble"]]
            self.assertEqual(len(values), sum(row["tumour"] == tumour for row in rows))
            means = {measure: sum(after for after, _ in values) / len(values), f"{measure}_before_crf": sum(b for _, b in values) / len(values)}
            means[f"{measure}_difference_crf"] = means[measure] - means[f"{measure}_before_crf"]
            for name, mean in means.items():
                self.assertAlmostEqual(result["ensemble"][name], mean, 6, name)
                lower, upper = result["ensemble"][f"{name}_ci"]
                self.assertTrue(lower - 1e-9 <= mean <= upper + 1e-9, name)

    def failing(self, change, out):
        (self.folder / f"{out}.toml").write_text(change(CONFIG))
        done = self.train(out, config=f"{out}.toml")
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_trains_on_annotated_slides_and_on_images_of_known_resolution(self):
        """The run's checksum of its data is another one when an annotation changes."""
        for i in range(4):
            subprocess.run([CLMNET, "synth", "-o", str(self.folder / f"s{i}.svs"), "--seed", str(i), "--width-px", "1024", "--height-px",
                            "1024", "--um-per-px", "1", "--geojson", str(self.folder / f"s{i}.geojson")], check=True, capture_output=True)
        rows = [f"s{i}.svs,s{i}.geojson,slide{i},,," for i in range(4)] + [f",,p{i // 4},{i}.png,{i // 4 % 2},16" for i in range(24)]
        (self.folder / "mixed.csv").write_text("slide,annotation,patient_id,image,tumour,um_per_px\n" + "\n".join(rows) + "\n")
        (self.folder / "slides.toml").write_text(CONFIG.replace("[training]", "[tiles]\num_per_px = 16.0\ntile_px = 32\n[training]"))
        sums = []
        for out in ("slides", "slides-2"):
            command = self.command(out, config="slides.toml")
            command[command.index("--manifest") + 1] = str(self.folder / "mixed.csv")
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            self.assertIn("24 images with um_per_px", done.stderr)
            sums.append(json.loads((self.folder / out / "training" / "training.json").read_text())["data_sha256"])
            with open(self.folder / "s0.geojson", "a") as annotation:
                annotation.write("\n")
        self.assertNotEqual(*sums)

    def test_a_wrong_manifest_leaves_no_folder_that_the_right_one_would_be_refused_for(self):
        (self.folder / "wrong.csv").write_text("picture,label\na.png,1\n")
        command = self.command("again")
        command[command.index("--manifest") + 1] = str(self.folder / "wrong.csv")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no column 'image'; there are: picture, label", done.stderr)
        self.assertFalse((self.folder / "again").exists())

    def test_refuses_networks_it_does_not_know_or_that_stand_twice(self):
        self.assertIn("no network 'resnext'", self.failing(lambda c: c.replace('"unet"]', '"resnext"]'), "unknown"))
        self.assertIn("'vgg16' stands twice", self.failing(lambda c: c.replace('"unet"]', '"vgg16"]'), "twice"))

    def test_refuses_values_out_of_range(self):
        self.assertIn("fusion.sensitivity", self.failing(lambda c: c.replace("sensitivity = 0.9", "sensitivity = 1.5"), "range"))
        self.assertIn("training.accumulate", self.failing(lambda c: c.replace("accumulate = 2", "accumulate = 0"), "none"))

    def test_does_not_go_on_with_another_loss(self):
        (self.folder / "other.toml").write_text(CONFIG.replace("focal_gamma = 1.0", "focal_gamma = 2.0"))
        copied = self.folder / "copied"
        shutil.copytree(self.folder / "unbroken", copied)
        done = self.train("copied", "--resume", config="other.toml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is of another run", done.stderr)

    def test_a_backbone_trains_as_a_member(self):
        (self.folder / "backbone.toml").write_text(
            CONFIG.replace('["vgg16", "unet"]', '["resnet50", "unet"]') + "[resnet50]\nwidth = 0.05\nepochs = 1\n")
        done = self.train("backbone", config="backbone.toml")
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        members = json.loads((self.folder / "backbone" / "config.json").read_text())["clmnet"]["members"]
        self.assertEqual([(m["network"], m["feature_size"]) for m in members], [("resnet50", 512), ("unet", 256)])


if __name__ == "__main__":
    unittest.main()
