"""What the viewer's tests share: a made-up run folder (a drawn slide, a heatmap whose every pixel is known, a table of tiles,
outlines), clmnet view in a process, and a test case around both. Tests are started as FILE CLMNET."""

import functools
import http.client
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

CLMNET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "clmnet"
WIDTH, HEIGHT = 1000, 700            # level 0
MAP_WIDTH, MAP_HEIGHT = 125, 88      # 8.0 and 7.954... level-0 px per map px
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "view", "page")
REGION = "6e98c10d-bbaa-8743-b52e-dd006f135955"


def map_code(column, row):
    """0 at the left, then a pattern without symmetry."""
    return 0 if column < 10 else 1 + (column * 3 + row * 7) % 255


def grey_tiff(levels):
    """Uncompressed tiled 8-bit TIFF; levels: [(width, height, code(column, row))], tiles of 256."""
    out, next_at = bytearray(b"II*\0\0\0\0\0"), 4
    for width, height, code in levels:
        offsets = []
        for top in range(0, height, 256):
            for left in range(0, width, 256):
                offsets.append(len(out))
                out += bytes(code(x, y) if x < width and y < height else 0
                             for y in range(top, top + 256) for x in range(left, left + 256))
        tags = [(254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]), (277, 3, [1]),
                (322, 4, [256]), (323, 4, [256]), (324, 4, offsets), (325, 4, [65536] * len(offsets))]
        places = {}
        for tag, _, values in tags:
            if len(values) > 1:
                places[tag] = len(out)
                out += struct.pack(f"<{len(values)}I", *values)
        out[next_at:next_at + 4] = struct.pack("<I", len(out))
        out += struct.pack("<H", len(tags))
        for tag, kind, values in tags:
            word = struct.pack("<I", places[tag]) if tag in places else struct.pack("<I" if kind == 4 else "<HH", *values, *([0] if kind == 3 else []))
            out += struct.pack("<HHI", tag, kind, len(values)) + word
        next_at = len(out)
        out += b"\0\0\0\0"
    return bytes(out)


def float_tiff(columns, rows, values, um_per_px):
    """risk.tiff in its simplest form: one strip of 32-bit floats, resolution in px per cm."""
    data = struct.pack(f"<{columns * rows}f", *values)
    resolution = struct.pack("<II", round(1e4 / um_per_px * 1e4), 10000)
    tags = [(256, 4, columns), (257, 4, rows), (258, 3, 32), (259, 3, 1), (262, 3, 1), (273, 4, 16), (277, 3, 1), (278, 4, rows),
            (279, 4, len(data)), (282, 5, 8), (283, 5, 8), (296, 3, 3), (339, 3, 3)]
    out = b"II*\0" + struct.pack("<I", 16 + len(data)) + resolution + data + struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        out += struct.pack("<HHI", tag, kind, 1) + (struct.pack("<I", value) if kind != 3 else struct.pack("<HH", value, 0))
    return out + b"\0\0\0\0"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())


@functools.cache
def drawn_slide():
    """The bytes of the slide that all runs share, drawn once."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "drawn.svs")
        subprocess.run([CLMNET, "synth", "-o", path, "--seed", "3", "--width-px", str(WIDTH), "--height-px", str(HEIGHT)], check=True,
                       capture_output=True, timeout=120)
        with open(path, "rb") as slide:
            return slide.read()


def make_run(folder):
    """folder/run with the slides 'drawn' and 'gone' (its scan is missing), folder/slides with drawn.svs, folder/secret.txt."""
    run, slides = os.path.join(folder, "run"), os.path.join(folder, "slides")
    os.makedirs(slides)
    write(os.path.join(slides, "drawn.svs"), drawn_slide())
    summary = {"file": "drawn.svs", "slide": "drawn", "width_level0_px": WIDTH, "height_level0_px": HEIGHT, "um_per_px_x": 0.5,
               "um_per_px_y": 0.5, "tumour_area_mm2": 0.05, "tissue_area_mm2": 0.1, "tumour_regions": 1, "map_threshold": 0.5,
               "max_tile_probability": 0.75, "warnings": [], "tiles_not_decoded": 0, "model": "m", "model_sha256": "0" * 64,
               "tile_px": 112, "tile_um_per_px": 2.0, "version": "0.1.0"}
    write(os.path.join(run, "run.json"), json.dumps({"configuration": {"command": "analyze"}, "slides": [summary]}))
    write(os.path.join(run, "drawn", "summary.json"), json.dumps(summary))
    write(os.path.join(run, "gone", "summary.json"), json.dumps({**summary, "file": "gone.svs", "slide": "gone", "tumour_regions": 0}))
    write(os.path.join(run, "drawn", "heatmap.tiff"), grey_tiff([(MAP_WIDTH, MAP_HEIGHT, map_code)]))
    write(os.path.join(run, "drawn", "tiles.csv"),
          "minx,miny,width,height,prob_normal,prob_tumour,vgg16_prob_tumour\n0,0,448,448,0.75,0.25,0.5\n392,0,448,448,0,1,0\n")
    square = [[100, 100], [100, 300], [300, 300], [300, 100], [100, 100]]
    write(os.path.join(run, "drawn", "tumour.geojson"), json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": REGION, "geometry": {"type": "Polygon", "coordinates": [square]},
         "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]},
                        "measurements": {"area_mm2": 0.01, "mean_probability": 0.8, "max_probability": 0.9}}}]}))
    write(os.path.join(folder, "secret.txt"), "a patient's name")
    os.symlink(os.path.join(folder, "secret.txt"), os.path.join(run, "drawn", "heatmap_link.tiff"))
    os.symlink(folder, os.path.join(run, "outside"))
    write(os.path.join(folder, "deps", "openseadragon", "openseadragon.min.js"), "// stands for OpenSeadragon\n")
    return run, slides


class Viewer:
    """clmnet view in a process of its own, with the address that it printed."""

    def __init__(self, run, slides, *options, deps=None):
        env = {**os.environ, "CLMNET_PAGE": PAGE}
        if deps:
            env["CLMNET_DEPS"] = deps
        self.process = subprocess.Popen([CLMNET, "view", run, "--slides", slides, *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env)
        line = self.process.stdout.readline().strip()
        found = re.fullmatch(r"(?:.*\t)?(http://(.+):(\d+)/\?token=([0-9a-f]{32}))(#.*)?", line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"no address but '{line}': {self.process.stderr.read()}")
        self.address, self.host, self.port, self.token = found[1], found[2], int(found[3]), found[4]
        self.first_line = line

    def ask(self, method, path, body=None, headers=None, host=None):
        """(status, headers, body). The path goes out as it is, dots and all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": f"127.0.0.1:{self.port}" if host is None else host, **(headers or {})}
        if body is not None and "Transfer-Encoding" not in sent:
            sent.setdefault("Content-Length", str(len(body)))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode() if isinstance(body, str) else body)
        response = connection.getresponse()
        answer = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return answer

    def change(self, path, document, **headers):
        """A change as the page sends it; a header given as None is left out."""
        sent = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}", "X-Clmnet-Token": self.token,
                **{name.replace("_", "-"): value for name, value in headers.items()}}
        body = document if isinstance(document, (str, bytes)) else json.dumps(document)
        return self.ask("POST", path, body, {name: value for name, value in sent.items() if value is not None})

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=60)


class RunFolder:
    """A temporary run; use as a context."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name
        self.run, self.slides = make_run(self.path)
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def viewer(self, *options):
        return Viewer(self.run, self.slides, *options, deps=os.path.join(self.path, "deps"))


class ViewCase(unittest.TestCase):
    """One run and one server for all cases of a class; a case may put another server into its place."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = RunFolder().__enter__()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.viewer = cls.folder.viewer(*cls.options)
        cls.addClassCleanup(lambda: cls.viewer.kill())

    def get(self, path, **more):
        return self.viewer.ask("GET", path, **more)

    def document(self, path):
        status, _, body = self.get(path)
        self.assertEqual(status, 200, body)
        return json.loads(body)


def run_tests():
    unittest.main(module="__main__", argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
