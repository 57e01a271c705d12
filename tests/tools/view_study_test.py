"""A reader study in clmnet view: what may be seen and when, locked answers, order, washout, and ratings that clmnet stats takes.

Usage: view_study_test.py CLMNET
"""

import csv
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import unittest

from view_fixture import CLMNET, HEIGHT, REGION, WIDTH, RunFolder, Viewer, run_tests, write

READERS = ("Dr A", "Dr B", "Dr C")
CASES = ("c1", "c2", "c3", "c4", "c5")
TRUTH = {"c1": 1, "c2": 0, "c3": 1, "c4": 0, "c5": 1}


def make_cases(folder):
    """Five more slides in the run, all of the drawn scan."""
    for case in CASES:
        shutil.copytree(os.path.join(folder.run, "drawn"), os.path.join(folder.run, case), symlinks=True)
    write(os.path.join(folder.path, "truth.csv"), "case,truth\n" + "".join(f"{case},{truth}\n" for case, truth in TRUTH.items()))


def plan(folder, **changes):
    """Writes PLAN.toml; a value None leaves the key out."""
    keys = {"name": "pilot", "seed": 7, "washout_days": 28, "readers": list(READERS), "slides": list(CASES), "truth": "truth.csv", **changes}
    path = os.path.join(folder.path, "plan.toml")
    write(path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if value is not None))
    return path


class Study:
    """A server of a study and its readers' keys; use as a context."""

    def __init__(self, folder, plan_file, *options):
        self.viewer = Viewer(folder.run, folder.slides, "--study", plan_file, *options, deps=os.path.join(folder.path, "deps"))
        lines = [self.viewer.first_line] + [self.viewer.process.stdout.readline().strip() for _ in READERS[1:]]
        self.keys = {line.split("\t")[0]: line.split("#study=")[1] for line in lines}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.viewer.kill()

    def get(self, reader, path=""):
        status, _, body = self.viewer.ask("GET", f"/api/study/{self.keys[reader]}{path}")
        return status, json.loads(body) if body[:1] in (b"{", b"[") else body

    def post(self, reader, what, **document):
        status, _, body = self.viewer.change(f"/api/study/{self.keys[reader]}/{what}", document)
        return status, json.loads(body)

    def state(self, reader):
        return self.get(reader)[1]

    def read(self, reader, confidence):
        """Opens and answers the case whose turn it is; returns its place."""
        code = self.state(reader)["code"]
        for what, document in (("open", {}), ("answer", {"confidence": confidence})):
            status, answer = self.post(reader, what, place=code, **document)
            assert status == 200, (reader, code, what, answer)
        return code


class StudyCase(unittest.TestCase):
    """Each case has a run of its own."""

    def setUp(self):
        self.folder = RunFolder().__enter__()
        self.addCleanup(self.folder.__exit__)
        make_cases(self.folder)

    def study(self, *options, **changes):
        study = Study(self.folder, plan(self.folder, **changes), *options)
        self.addCleanup(study.viewer.kill)
        return study

    def journal(self, reader):
        path = os.path.join(self.folder.run, "study-pilot", reader + ".jsonl")
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def ratings(self):
        with open(os.path.join(self.folder.run, "study-pilot", "ratings.csv"), encoding="utf-8", newline="") as text:
            return list(csv.DictReader(text))

    def answer_phase(self, study, reader):
        for i in range(len(CASES)):
            study.read(reader, 10 * i)


class WhatIsSeen(StudyCase):
    MAPS = ("layers/heatmap/0/0_0", "layers/heatmap/histogram", "layers/tiles_prob_tumour/0/0_0", "outlines", "value?x=400&y=300",
            "crop.jpg?x=0&y=0&width=100&height=100&side=64")

    def test_first_phase_hands_out_no_map(self):
        study = self.study()
        code = study.post("Dr A", "open", place="1-1")[1]["code"]
        status, details = study.get("Dr A", f"/slides/{code}")
        self.assertEqual(status, 200)
        self.assertEqual(sorted(details["summary"]), ["height_level0_px", "um_per_px_x", "um_per_px_y", "width_level0_px"])
        self.assertEqual((details["layers"], details["has_label"], details["id"]), ([], False, code))
        self.assertEqual((details["summary"]["width_level0_px"], details["summary"]["height_level0_px"]), (WIDTH, HEIGHT))
        text = json.dumps(details)
        for secret in (*CASES, "drawn", "tumour", "probab", "model"):
            self.assertNotIn(secret, text)
        self.assertEqual(study.get("Dr A", f"/slides/{code}/tiles/10/0_0.jpg")[0], 200)
        for path in (*self.MAPS, "thumbnail.jpg", "label.jpg"):
            self.assertEqual(study.get("Dr A", f"/slides/{code}/{path}")[0], 403, path)

    def test_nothing_of_the_run_by_other_ways(self):
        study = self.study("--show-labels")
        study.post("Dr A", "open", place="1-1")
        for path in ("/api/slides", "/api/slides/c1", "/api/slides/c1/layers/heatmap/0/0_0", "/api/slides/c1/outlines", "/api/slides/c1/label.jpg",
                     "/api/review?reader=x&slide=c1", "/api/review/agreement?what=slides", "/api/study", "/api/study/", "/api/study/" + "0" * 32,
                     "/api/study/" + study.viewer.token, "/api/study//slides/1-1"):
            status, _, body = study.viewer.ask("GET", path)
            self.assertIn(status, (403, 404), path)
            self.assertNotIn(b"c1", body, path)
        for path in ("/index.html", "/report.html", "/study-pilot/ratings.csv"):
            self.assertEqual(study.viewer.ask("GET", path)[0], 404, path)
        page = study.viewer.ask("GET", "/")[2]
        self.assertIn(b"reader study", page)
        self.assertEqual(study.viewer.change("/api/review", {"reader": "x", "slide": "c1", "kind": "verdict", "region": REGION, "verdict": "agree"})[0], 404)

    def test_only_the_case_of_the_turn(self):
        study = self.study()
        for code in ("1-1", "1-2", "2-1"):
            self.assertEqual(study.get("Dr A", f"/slides/{code}/tiles/10/0_0.jpg")[0], 403, code)
        study.post("Dr A", "open", place="1-1")
        self.assertEqual(study.get("Dr A", "/slides/1-1/tiles/10/0_0.jpg")[0], 200)
        self.assertEqual(study.get("Dr B", "/slides/1-1/tiles/10/0_0.jpg")[0], 403, "opened by another reader")
        for code in ("1-2", "2-1", "c1", "..", "1-1%2f..%2f..%2fc1"):
            self.assertIn(study.get("Dr A", f"/slides/{code}/tiles/10/0_0.jpg")[0], (403, 404), code)
        study.post("Dr A", "answer", place="1-1", confidence=50)
        self.assertEqual(study.get("Dr A", "/slides/1-1/tiles/10/0_0.jpg")[0], 403, "after the answer")

    def test_second_phase_has_maps_but_no_names(self):
        study = self.study(washout_days=0)
        self.answer_phase(study, "Dr A")
        self.assertTrue(study.post("Dr A", "open", place="2-1")[1]["aided"])
        details = study.get("Dr A", "/slides/2-1")[1]
        self.assertIn("heatmap", [layer["id"] for layer in details["layers"]])
        self.assertEqual(details["summary"]["tumour_regions"], 1)
        self.assertNotIn("drawn", json.dumps(details))
        for path in self.MAPS:
            self.assertEqual(study.get("Dr A", f"/slides/2-1/{path}")[0], 200, path)
        for path in ("thumbnail.jpg", "label.jpg"):
            self.assertEqual(study.get("Dr A", f"/slides/2-1/{path}")[0], 403, path)


class Answers(StudyCase):
    def test_locked(self):
        study = self.study()
        study.read("Dr A", 30)
        for what, place, document in (("answer", "1-1", {"confidence": 99}), ("open", "1-1", {}), ("answer", "1-2", {"confidence": 1}),
                                      ("open", "1-3", {}), ("open", "2-1", {}), ("open", "", {})):
            self.assertEqual(study.post("Dr A", what, place=place, **document)[0], 409, (what, place))
        self.assertEqual([(row["rating"], row["place"]) for row in self.ratings()], [("30", "1-1")])

    def test_wrong_answers(self):
        study = self.study()
        study.post("Dr A", "open", place="1-1")
        for confidence in (-1, 101, 50.5, "50", None, [50], True, 1e9):
            self.assertEqual(study.post("Dr A", "answer", place="1-1", confidence=confidence)[0], 400, confidence)
        for place in (None, 1, ["1-1"]):
            self.assertEqual(study.post("Dr A", "open", place=place)[0], 400, place)
        self.assertEqual(study.post("Dr A", "delete", place="1-1")[0], 404)
        key = study.keys["Dr A"]
        self.assertEqual(study.viewer.change(f"/api/study/{key}/open", b"[")[0], 400)
        self.assertEqual(study.viewer.change(f"/api/study/{key}/answer", {"place": "1-1", "confidence": 5}, X_Clmnet_Token=None)[0], 403)
        self.assertEqual(study.viewer.change("/api/study/nobody/answer", {"place": "1-1", "confidence": 5})[0], 403)
        self.assertEqual(len(self.journal("Dr A")), 1)

    def test_survive_a_killed_server(self):
        study = self.study()
        study.read("Dr A", 10)
        study.post("Dr A", "open", place="1-2")
        study.viewer.kill()
        again = self.study()
        self.assertEqual({key: again.state("Dr A")[key] for key in ("code", "opened", "phase")}, {"code": "1-2", "opened": True, "phase": 0})
        # The new server shows the case only when it is opened once more; that is counted.
        self.assertEqual(again.get("Dr A", "/slides/1-2/tiles/10/0_0.jpg")[0], 403)
        again.read("Dr A", 20)
        self.assertEqual([(row["place"], row["openings"]) for row in self.ratings()], [("1-1", "1"), ("1-2", "2")])

    def test_time_is_from_the_last_opening(self):
        study = self.study()
        study.post("Dr A", "open", place="1-1")
        study.post("Dr A", "answer", place="1-1", confidence=1)
        opened, answered = ((datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))) for entry in self.journal("Dr A"))
        self.assertAlmostEqual(float(self.ratings()[0]["seconds"]), (answered - opened).total_seconds(), delta=0.06)


class Order(StudyCase):
    def order(self, seed, reader, phase):
        """Worked out again from what study_plan.h says: MT19937-64 of the digest, Fisher-Yates without bias."""
        digest = hashlib.sha256(f"{seed}|{reader}|{phase}".encode()).hexdigest()[:16]
        state, mask = [int(digest, 16)], (1 << 64) - 1
        for i in range(1, 312):
            state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & mask)
        for i in range(312):
            x = (state[i] & ~0x7fffffff & mask) | (state[(i + 1) % 312] & 0x7fffffff)
            state[i] = state[(i + 156) % 312] ^ (x >> 1) ^ (0xb5026f5aa96619e9 if x & 1 else 0)
        drawn, order = iter(state), sorted(CASES)
        for i in range(len(order), 1, -1):
            x = next(drawn)
            x ^= (x >> 29) & 0x5555555555555555
            x ^= (x << 17) & 0x71d67fffeda60000
            x ^= (x << 37) & 0xfff7eee000000000
            x ^= x >> 43
            place = x % i
            order[i - 1], order[place] = order[place], order[i - 1]
        return order

    def test_is_the_seeds_and_each_readers_own(self):
        study = self.study(washout_days=0)
        for reader in READERS[:2]:
            self.answer_phase(study, reader)
            self.answer_phase(study, reader)
            for phase in (0, 1):
                cases = [entry["case"] for entry in self.journal(reader) if entry["kind"] == "answer" and entry["place"][0] == str(phase + 1)]
                self.assertEqual(cases, self.order(7, reader, phase))
        self.assertNotEqual(self.order(7, "Dr A", 0), self.order(7, "Dr B", 0))
        self.assertNotEqual(self.order(7, "Dr A", 0), self.order(8, "Dr A", 0))


class Washout(StudyCase):
    def set_back(self, reader, days):
        """As though the first phase had been read so many days ago."""
        path = os.path.join(self.folder.run, "study-pilot", reader + ".jsonl")
        lines = []
        for entry in self.journal(reader):
            time = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")) - datetime.timedelta(days=days)
            lines.append(json.dumps({**entry, "time": time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"}))
        write(path, "\n".join(lines) + "\n")

    def test_second_phase_waits(self):
        study = self.study()
        self.answer_phase(study, "Dr A")
        state = study.state("Dr A")
        self.assertEqual((state["phase"], state["code"]), (1, "2-1"))
        self.assertRegex(state["not_before"], r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(study.post("Dr A", "open", place="2-1")[0], 409)
        self.set_back("Dr A", 27.9)
        self.assertEqual(study.post("Dr A", "open", place="2-1")[0], 409)
        self.set_back("Dr A", 0.2)
        self.assertIsNone(study.state("Dr A")["not_before"])
        self.assertEqual(study.post("Dr A", "open", place="2-1")[0], 200)
        # Another reader's washout is their own.
        self.assertEqual(study.state("Dr B")["code"], "1-1")

    def test_clock_set_back_does_not_begin_it(self):
        study = self.study()
        self.answer_phase(study, "Dr A")
        self.set_back("Dr A", -100)
        self.assertEqual(study.post("Dr A", "open", place="2-1")[0], 409)


class Output(StudyCase):
    def test_stats_readers_takes_it(self):
        study = self.study(washout_days=0)
        # With maps the readers are surer; each has a pattern of their own.
        for r, reader in enumerate(READERS):
            for phase in (0, 1):
                for i in range(len(CASES)):
                    state = study.state(reader)
                    study.post(reader, "open", place=state["code"])
                    case = self.journal(reader)[-1]["case"]
                    lean = (10, 25)[phase] if TRUTH[case] else -(10, 25)[phase]
                    noise = int(hashlib.sha256(f"{reader}{case}{phase}".encode()).hexdigest()[:4], 16) % 60 - 30
                    study.post(reader, "answer", place=state["code"], confidence=min(max(50 + lean + noise + r, 0), 100))
        self.assertEqual(study.state("Dr A")["phase"], 2)
        self.assertEqual(study.post("Dr A", "open", place="3-1")[0], 409)
        rows = self.ratings()
        self.assertEqual(len(rows), len(READERS) * 2 * len(CASES))
        self.assertEqual({(row["reader"], row["case"], row["modality"]) for row in rows},
                         {(reader, case, modality) for reader in READERS for case in CASES for modality in ("unaided", "aided")})
        ratings = os.path.join(self.folder.run, "study-pilot", "ratings.csv")
        result = subprocess.run([CLMNET, "stats", "readers", "--data", ratings, "--json"], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        document = json.loads(result.stdout)
        self.assertEqual((document["cases"], sorted(document["modalities"]), document["readers"]),
                         ({"positive": 3, "negative": 2}, ["aided", "unaided"], list(READERS)))

    def test_half_a_study_is_complete_cases_only(self):
        study = self.study(readers=list(READERS[:2]) + ["Dr C"])
        study.read("Dr A", 40)
        self.assertEqual(self.ratings()[0]["truth"], str(TRUTH[self.ratings()[0]["case"]]))


class Plans(StudyCase):
    def assert_refused(self, *words, options=(), **changes):
        result = subprocess.run([CLMNET, "view", self.folder.run, "--slides", self.folder.slides, "--study", plan(self.folder, **changes), *options],
                                capture_output=True, text=True, timeout=60, check=False,
                                env={**os.environ, "CLMNET_DEPS": os.path.join(self.folder.path, "deps")})
        self.assertEqual(result.returncode, 1, (changes, result.stderr))
        for word in words:
            self.assertIn(word, result.stderr)

    def test_refused(self):
        self.assert_refused("readers", readers=None)
        self.assert_refused("'../x'", readers=["../x"])
        self.assert_refused("stands twice", readers=["A", "A"])
        self.assert_refused("washout_days", washout_days=-1)
        self.assert_refused("seed", seed="x")
        self.assert_refused("'name'", name="../x")
        self.assert_refused("unknown key 'slide'", slide="c1")
        self.assert_refused("'nobody' is not in the run", slides=["c1", "nobody"])
        self.assert_refused("'c1' stands twice", slides=["c1", "c1"])
        self.assert_refused("cannot be shown", slides=["gone"])
        self.assert_refused("no-such", truth="no-such.csv")
        self.assert_refused("leave --open away", options=("--open",))

    def test_truth_of_every_case(self):
        for text, word in (("case,truth\nc1,1\n", "no row for case 'c2'"), ("case,truth\nc1,yes\n", "expected 0 or 1"), ("case,truth\nc1,1\nc1,0\n", "stands twice"),
                           ("slide,truth\nc1,1\n", "case")):
            write(os.path.join(self.folder.path, "truth.csv"), text)
            self.assert_refused(word)

    def test_another_plan_of_the_same_name(self):
        study = self.study()
        study.read("Dr A", 10)
        study.viewer.kill()
        self.assert_refused("another seed, washout or list of slides", seed=8)
        self.assert_refused("another seed, washout or list of slides", washout_days=1)
        self.assert_refused("another seed, washout or list of slides", slides=["c1", "c2"])
        more = self.study(readers=[*READERS[1:], "Dr A"])
        self.assertEqual(more.state("Dr A")["code"], "1-2", "the order of readers does not matter")


if __name__ == "__main__":
    run_tests()
