"""What the tests of `clmnet cv` share: drawn images, manifests, clinical tables, and running the command."""
import csv
import json
import math
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("CLMNET_DATA", ROOT.parent / "shared" / "data"))
COLUMNS = ["image", "mask", "patient_id", "diagnosis", "tumour"]


def write_png(path, pixels, side, channels):
    """pixels: bytes, row by row; channels 1 is grey, 3 is RGB."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + pixels[y * side * channels:(y + 1) * side * channels] for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0 if channels == 1 else 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def draw_image(folder, name, tumour, generator, side=64):
    """Pink noise, in a tumour with a dark blue disc that the mask shows."""
    cx, cy, radius = generator.uniform(20, 44), generator.uniform(20, 44), generator.uniform(12, 20)
    rgb, mask = bytearray(), bytearray()
    for y in range(side):
        for x in range(side):
            inside = tumour and math.hypot(x - cx, y - cy) < radius
            for mean in (90, 60, 140) if inside else (225, 170, 200):
                rgb.append(max(0, min(255, int(generator.gauss(mean, 12)))))
            mask.append(255 if inside else 0)
    write_png(folder / f"{name}.png", bytes(rgb), side, 3)
    write_png(folder / f"{name}-mask.png", bytes(mask), side, 1)


def write_csv(path, columns, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def draw_cohort(folder, patients, images_each, seed=1, prefix="p"):
    """Rows of a manifest; every other patient has tumour."""
    generator = random.Random(seed)
    rows = []
    for patient in range(patients):
        tumour = patient % 2
        for image in range(images_each):
            name = f"{prefix}{patient:02d}-{image}"
            draw_image(folder, name, tumour, generator)
            rows.append({"image": f"{name}.png", "mask": f"{name}-mask.png", "patient_id": f"{prefix}{patient:02d}",
                         "diagnosis": "carcinoma" if tumour else "normal", "tumour": tumour})
    return rows


def clinical_of(rows, seed=2):
    """One row a patient: with tumour the hazard is four times as high; a tenth of the ages is missing, two patients lack an outcome."""
    generator = random.Random(seed)
    tumour = {}
    for row in rows:
        tumour[row["patient_id"]] = max(tumour.get(row["patient_id"], 0), int(row["tumour"]))
    table = []
    for patient in sorted(tumour):
        death = generator.expovariate((4 if tumour[patient] else 1) / 40)
        end = generator.uniform(12, 80)
        table.append({"patient_id": patient, "months": f"{min(death, end):.2f}", "died": int(death <= end),
                      "age": -999 if generator.random() < 0.1 else generator.randint(40, 85), "sex": generator.choice(["f", "m"])})
    for row in table[:2]:
        row["months"] = ""
    return table + [{"patient_id": "nobody", "months": "10", "died": 1, "age": 60, "sex": "f"}]


CLINICAL_COLUMNS = ["patient_id", "months", "died", "age", "sex"]
CLINICAL_OPTIONS = ["--time", "months", "--event", "died", "--covariates", "age,sex", "--missing", "-999", "--trees", "50"]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def kill_when(command, condition, seconds=240):
    """Starts the command, ends it with SIGKILL once the condition holds; False when it ended before that."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + seconds
    while process.poll() is None and not condition() and time.monotonic() < until:
        time.sleep(0.02)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def load(path):
    return json.loads(pathlib.Path(path).read_text())
