"""clmnet view as a browser, and as an attacker, sees it: what is served, and what is refused.

Usage: view_server_test.py CLMNET
"""

import json
import os
import shutil
import socket
import subprocess
import time
import unittest

from view_fixture import (CLMNET, HEIGHT, MAP_HEIGHT, MAP_WIDTH, WIDTH, RunFolder, Viewer, ViewCase, float_tiff, grey_tiff, map_code,
                          run_tests, write)


class Answers(ViewCase):
    def test_page(self):
        status, headers, body = self.get("/")
        self.assertEqual(status, 200)
        self.assertIn(b"<title>clmnet view</title>", body)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_page_loads_nothing_from_outside(self):
        page = self.get("/")[2].decode()
        self.assertNotIn("//", page.replace("<!DOCTYPE", ""))
        self.assertNotIn("<style", page)
        self.assertNotIn(" style=", page)

    def test_list(self):
        slides = self.document("/api/slides")
        self.assertEqual([slide["id"] for slide in slides], ["drawn", "gone"])
        self.assertEqual(slides[0]["missing"], "")
        self.assertIn("no such file", slides[1]["missing"])
        self.assertEqual(slides[0]["max_tile_probability"], 0.75)

    def test_layers(self):
        details = self.document("/api/slides/drawn")
        layers = {layer["id"]: layer for layer in details["layers"]}
        self.assertEqual(sorted(layers), ["heatmap", "quality", "tiles_prob_tumour", "tiles_vgg16_prob_tumour", "tissue"])
        self.assertEqual(layers["heatmap"]["downsample_x"], 8)
        self.assertAlmostEqual(layers["heatmap"]["downsample_y"], 700 / 88)
        codes = [map_code(x, y) for y in range(MAP_HEIGHT) for x in range(MAP_WIDTH)]
        self.assertEqual(self.document("/api/slides/drawn/layers/heatmap/histogram"), [codes.count(code) for code in range(256)])
        # Tiles of 448 px every 392: each stands for the 392 px around its centre.
        tiles = layers["tiles_prob_tumour"]
        self.assertEqual((tiles["origin_x"], tiles["downsample_x"], tiles["levels"]), (28, 392, [{"width": 2, "height": 1}]))
        self.assertTrue(any("link out of" in problem for problem in details["problems"]))

    def test_map_tile_is_the_file(self):
        status, _, body = self.get("/api/slides/drawn/layers/heatmap/0/0_0")
        self.assertEqual(status, 200)
        self.assertEqual(len(body), 256 * 256)
        for x, y in ((9, 5), (10, 5), (124, 87), (125, 87), (124, 88)):
            wanted = map_code(x, y) if x < MAP_WIDTH and y < MAP_HEIGHT else 0
            self.assertEqual(body[y * 256 + x], wanted, (x, y))

    def test_values_at_a_point(self):
        # Map pixel (50, 30) covers x 400 to 408 and y 238.6 to 246.6; x = 400 lies in the first tile's cell (28 to 420).
        values = {v["layer"]: v["value"] for v in self.document("/api/slides/drawn/value?x=400&y=239")["values"]}
        self.assertAlmostEqual(values["heatmap"], (map_code(50, 30) - 1) / 254)
        self.assertAlmostEqual(values["tiles_prob_tumour"], 0.25, delta=0.002)
        self.assertAlmostEqual(values["tiles_vgg16_prob_tumour"], 0.5, delta=0.002)
        values = {v["layer"]: v["value"] for v in self.document("/api/slides/drawn/value?x=421&y=239")["values"]}
        self.assertEqual(values["tiles_prob_tumour"], 1.0)

    def test_no_data_is_not_zero(self):
        for x, y in ((79, 300), (-1, 300), (300, 701)):
            values = self.document(f"/api/slides/drawn/value?x={x}&y={y}")["values"]
            self.assertIsNone(values[0]["value"], (x, y))

    def test_pictures(self):
        # The longer side, 1000 px, fits 2^10: level 10 is the scan in 4 x 3 tiles.
        for path in ("tiles/10/0_0.jpg", "tiles/10/3_2.jpg", "tiles/0/0_0.jpg", "thumbnail.jpg",
                     "crop.jpg?x=900&y=600&width=300&height=300&side=64"):
            status, headers, body = self.get("/api/slides/drawn/" + path)
            self.assertEqual((status, headers["Content-Type"], body[:3]), (200, "image/jpeg", b"\xff\xd8\xff"), path)

    def test_head(self):
        self.assertEqual(self.viewer.ask("HEAD", "/api/slides")[0], 200)


class FurtherLayers(ViewCase):
    """Files that other commands may have left in the slide's folder, and what is found in the scan."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.folder.run, "drawn")
        write(os.path.join(folder, "risk.tiff"), float_tiff(3, 2, [0.5, -0.25, 0, 0, 0, 0], 196))
        for name in ("heatmap_vgg16", "activation_vgg16", "heatmap_raw"):
            write(os.path.join(folder, name + ".tiff"), grey_tiff([(MAP_WIDTH, MAP_HEIGHT, map_code)]))

    def layers(self):
        return {layer["id"]: layer for layer in self.document("/api/slides/drawn")["layers"]}

    def values(self, x, y):
        return {value["layer"]: value["value"] for value in self.document(f"/api/slides/drawn/value?x={x}&y={y}")["values"]}

    def test_titles_and_order(self):
        layers = self.layers()
        self.assertEqual(list(layers)[:4], ["heatmap", "heatmap_raw", "heatmap_vgg16", "activation_vgg16"])
        self.assertEqual((layers["heatmap_vgg16"]["title"], layers["activation_vgg16"]["title"]), ("vgg16, per pixel", "vgg16, class activation"))

    def test_risk_has_its_own_scale(self):
        risk = self.layers()["risk"]
        self.assertEqual((risk["low"], risk["high"], risk["threshold"], risk["downsample_x"], risk["origin_x"]), (-0.5, 0.5, 0, 392, 28))
        self.assertEqual(self.values(100, 239)["risk"], 0.5)
        self.assertAlmostEqual(self.values(421, 239)["risk"], -0.25, delta=0.002)
        self.assertIsNone(self.values(900, 600)["risk"], "there is no tile")

    def test_risk_that_does_not_fit(self):
        for name, data in (("of another grid", float_tiff(1, 1, [0.5], 196)), ("no numbers", float_tiff(3, 2, [float("nan")] * 6, 196)),
                           ("no TIFF", b"x"), ("a heatmap", grey_tiff([(MAP_WIDTH, MAP_HEIGHT, map_code)]))):
            with RunFolder() as folder:
                write(os.path.join(folder.run, "drawn", "risk.tiff"), data)
                viewer = folder.viewer()
                try:
                    details = json.loads(viewer.ask("GET", "/api/slides/drawn")[2])
                finally:
                    viewer.kill()
            self.assertNotIn("risk", [layer["id"] for layer in details["layers"]], name)
            self.assertTrue(any("risk.tiff" in problem for problem in details["problems"]), (name, details["problems"]))

    def test_tissue_and_quality_lie_over_the_whole_scan(self):
        layers = self.layers()
        for name in ("tissue", "quality"):
            level = layers[name]["levels"][0]
            self.assertAlmostEqual(level["width"] * layers[name]["downsample_x"], WIDTH)
            self.assertAlmostEqual(level["height"] * layers[name]["downsample_y"], HEIGHT)
            status, _, body = self.get(f"/api/slides/drawn/layers/{name}/0/0_0")
            self.assertEqual((status, len(body)), (200, 65536))
            counts = self.document(f"/api/slides/drawn/layers/{name}/histogram")
            self.assertEqual(sum(counts), level["width"] * level["height"])
        tissue = self.document("/api/slides/drawn/layers/tissue/histogram")
        self.assertEqual(tissue[1] + tissue[255], sum(tissue), "tissue is 0 or 1")
        self.assertTrue(0 < tissue[255] < sum(tissue))
        quality = self.document("/api/slides/drawn/layers/quality/histogram")
        self.assertEqual(quality[0], tissue[1], "glass has no quality")

    def test_no_such_parts(self):
        for path in ("layers/risk", "layers/heatmap", "layers/heatmap/histogram/0", "layers/nobody/histogram", "layers//histogram", "layers/heatmap/histogramm"):
            self.assertEqual(self.get("/api/slides/drawn/" + path)[0], 404, path)


class SlowClients(ViewCase):
    def test_half_requests_do_not_stop_the_others(self):
        held = []
        try:
            for _ in range(200):
                connection = socket.create_connection(("127.0.0.1", self.viewer.port), timeout=30)
                connection.sendall(b"GET /api/slides HTTP/1.1\r\nHost: 127.0")
                held.append(connection)
            begin = time.monotonic()
            self.assertEqual(self.get("/api/session")[0], 200)
            self.assertLess(time.monotonic() - begin, 4)
            # Who says nothing more is sent away: an answer of 4xx or a closed connection.
            held[0].settimeout(60)
            self.assertIn(held[0].recv(100)[9:10], (b"4", b""))
        finally:
            for connection in held:
                connection.close()

    def test_body_that_never_comes(self):
        with socket.create_connection(("127.0.0.1", self.viewer.port), timeout=60) as connection:
            connection.sendall(f"POST /api/review HTTP/1.1\r\nHost: 127.0.0.1:{self.viewer.port}\r\nOrigin: http://127.0.0.1:{self.viewer.port}\r\n"
                               f"X-Clmnet-Token: {self.viewer.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
            self.assertIn(connection.recv(100)[9:10], (b"4", b""))
        self.assertEqual(self.get("/api/session")[0], 200)


class NotThere(ViewCase):
    def test_paths(self):
        for path in ("/api", "/api/", "/api/slides/", "/api/slides/nobody", "/api/slides/drawn/", "/api/slides/drawn/tiles/11/0_0.jpg",
                     "/api/slides/drawn/tiles/10/4_0.jpg", "/api/slides/drawn/tiles/10/0_3.jpg", "/api/slides/drawn/tiles/-1/0_0.jpg",
                     "/api/slides/drawn/tiles/10/0_-1.jpg", "/api/slides/drawn/tiles/10/0.jpg", "/api/slides/drawn/tiles/10/0_0_0.jpg",
                     "/api/slides/drawn/tiles/10/0_0", "/api/slides/drawn/tiles/1e1/0_0.jpg", "/api/slides/drawn/tiles/99999999999999/0_0.jpg",
                     "/api/slides/drawn/tiles/63/0_0.jpg", "/api/slides/drawn/layers/heatmap/1/0_0", "/api/slides/drawn/layers/heatmap/0/1_0",
                     "/api/slides/drawn/layers/heatmap_link/0/0_0", "/api/slides/drawn/layers/other/0/0_0", "/api/slides/outside",
                     "/api/slides/gone/thumbnail.jpg", "/api/slides/drawn/label.jpg", "/run.json", "/drawn/summary.json", "/index.htm"):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_bad_numbers(self):
        for query in ("", "x=1", "x=1&y=", "x=a&y=1", "x=nan&y=1", "x=inf&y=0"):
            self.assertEqual(self.get("/api/slides/drawn/value?" + query)[0], 400, query)
        for query in ("", "x=0&y=0&width=0&height=9&side=64", "x=-1&y=0&width=9&height=9&side=64", "x=0&y=0&width=9&height=9&side=99999"):
            self.assertEqual(self.get("/api/slides/drawn/crop.jpg?" + query)[0], 400, query)


class Escapes(ViewCase):
    """Only files of the run and its slides; 'secret.txt' lies one folder above the run."""

    def test_ways_out_of_the_tree(self):
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/.%2e/.%2e/secret.txt",
                     "/api/slides/../../secret.txt", "/api/slides/..%2f..%2fsecret.txt", "/api/slides/drawn/../../../secret.txt",
                     "/api/slides/%2e%2e/tiles/0/0_0.jpg", "/api/slides/drawn/layers/..%2f..%2f..%2fsecret.txt/0/0_0",
                     "/api/slides/drawn/layers/../../../secret.txt", "//etc/passwd", "/etc/passwd", "/%2fetc%2fpasswd",
                     "/..\\secret.txt", "/%5c..%5csecret.txt", "/secret.txt%00.js", "/%00", "/app.js%00", "/%252e%252e/secret.txt",
                     "/outside/secret.txt", "/api/slides/outside/secret.txt", "/api/slides/%c0%ae%c0%ae/secret.txt"):
            status, _, body = self.get(path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn(b"patient", body, path)

    def test_scan_that_is_a_link_out_of_its_folder(self):
        slides = os.path.join(self.folder.path, "linked")
        os.makedirs(slides)
        os.symlink(os.path.join(self.folder.slides, "drawn.svs"), os.path.join(slides, "drawn.svs"))
        listing = self.missing_with(slides)
        self.assertIn("link out of", listing)

    def test_run_that_names_a_file_outside(self):
        for name in ("../secret.txt", "/etc/passwd", "..", "", ".hidden"):
            run = os.path.join(self.folder.path, "named")
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(self.folder.run, run, symlinks=True)
            summary_file = os.path.join(run, "drawn", "summary.json")
            with open(summary_file, encoding="utf-8") as text:
                summary = json.load(text)
            write(summary_file, json.dumps({**summary, "file": name}))
            self.assertIn("no plain file name", self.missing_with(self.folder.slides, run), name)

    def missing_with(self, slides, run=None):
        viewer = Viewer(run or self.folder.run, slides, deps=os.path.join(self.folder.path, "deps"))
        try:
            return json.loads(viewer.ask("GET", "/api/slides")[2])[0]["missing"]
        finally:
            viewer.kill()


class Hosts(ViewCase):
    def test_names_of_this_server(self):
        for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.2"):
            self.assertEqual(self.get("/api/slides", host=f"{host}:{self.viewer.port}")[0], 200, host)

    def test_other_names(self):
        port = self.viewer.port
        for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"127.0.0.1.evil.example:{port}", f"localhost.evil:{port}",
                     f"[::1:{port}", f"127.0.0.1:{port}:{port}", f"127.0.0.1:{port}x", f"10.0.0.1:{port}", f":{port}", "", " "):
            self.assertIn(self.get("/api/slides", host=host)[0], (400, 421), host)

    def test_two_hosts_or_none(self):
        line = f"Host: 127.0.0.1:{self.viewer.port}\r\n"
        for hosts in ("", line + line, line + "Host: evil.example\r\n"):
            self.assertIn(b" 400 ", self.raw(f"GET /api/slides HTTP/1.1\r\n{hosts}\r\n".encode()).split(b"\r\n")[0], hosts)

    def raw(self, request):
        with socket.create_connection(("127.0.0.1", self.viewer.port), timeout=30) as connection:
            connection.sendall(request)
            return connection.recv(65536)

    def test_malformed_requests(self):
        host = f"Host: 127.0.0.1:{self.viewer.port}\r\n".encode()
        for request in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n" + host + b"\r\n", b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n",
                        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"BREW / HTTP/1.1\r\n" + host + b"\r\n"):
            answer = self.raw(request)
            self.assertEqual(answer.split()[1][:1], b"4", (request[:30], answer[:60]))
        self.assertEqual(self.get("/api/session")[0], 200)

    def test_long_address_within_the_limit(self):
        self.assertEqual(self.get("/" + "a" * 8000)[0], 404)

    def test_other_sites_may_not_embed(self):
        self.assertEqual(self.get("/api/slides", headers={"Sec-Fetch-Site": "cross-site"})[0], 403)
        self.assertEqual(self.get("/", headers={"Sec-Fetch-Site": "cross-site"})[0], 200)


class Methods(ViewCase):
    def test_others(self):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"):
            self.assertIn(self.viewer.ask(method, "/api/slides")[0], (400, 405), method)

    def test_change_without_token(self):
        for token in (None, "", "0" * 32, self.viewer.token[:-1], self.viewer.token + "0"):
            self.assertEqual(self.viewer.change("/api/review", {}, X_Clmnet_Token=token)[0], 403, token)

    def test_token_in_the_address_of_a_change_does_not_count(self):
        self.assertEqual(self.viewer.change("/api/review?token=" + self.viewer.token, {}, X_Clmnet_Token=None)[0], 403)

    def test_change_from_elsewhere(self):
        port = self.viewer.port
        for origin in (None, "null", "http://evil.example", f"http://localhost:{port}", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"):
            self.assertEqual(self.viewer.change("/api/review", {}, Origin=origin)[0], 403, origin)

    def test_change_of_another_type(self):
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            self.assertEqual(self.viewer.change("/api/review", {}, Content_Type=kind)[0], 415, kind)

    def test_body_too_large(self):
        self.assertEqual(self.viewer.change("/api/review", b" " * ((1 << 20) + 1))[0], 413)

    def test_chunked_body_too_large(self):
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        status = self.viewer.change("/api/review", chunk * 17 + b"0\r\n\r\n", Transfer_Encoding="chunked", Content_Length=None)[0]
        self.assertIn(status, (400, 413))

    def test_cookie_instead_of_the_header(self):
        status, headers, _ = self.get("/?token=" + self.viewer.token)
        self.assertEqual((status, headers["Location"]), (303, "/"))
        self.assertIn("HttpOnly", headers["Set-Cookie"])
        self.assertIn("SameSite=Strict", headers["Set-Cookie"])
        cookie = {"Cookie": "other=1; " + headers["Set-Cookie"].split(";")[0]}
        self.assertTrue(json.loads(self.get("/api/session", headers=cookie)[2])["may_write"])
        self.assertFalse(self.document("/api/session")["may_write"])

    def test_wrong_token_gets_no_cookie(self):
        self.assertNotIn("Set-Cookie", self.get("/?token=" + "0" * 32)[1])


class OtherHost(unittest.TestCase):
    def test_everything_needs_the_token(self):
        with RunFolder() as folder:
            viewer = folder.viewer("--host", "0.0.0.0")
            try:
                for path in ("/", "/app.js", "/api/slides", "/api/slides/drawn/tiles/10/0_0.jpg", "/?token=" + "0" * 32):
                    self.assertEqual(viewer.ask("GET", path)[0], 403, path)
                self.assertEqual(viewer.ask("GET", "/api/slides", headers={"X-Clmnet-Token": viewer.token})[0], 200)
                self.assertEqual(viewer.ask("GET", "/?token=" + viewer.token)[0], 303)
                self.assertEqual(viewer.ask("GET", "/api/slides", host=f"evil.example:{viewer.port}",
                                            headers={"X-Clmnet-Token": viewer.token})[0], 421)
                self.assertEqual(viewer.stop(), 0)
            finally:
                viewer.kill()


class Colours(ViewCase):
    """A run that says that it was made with --icc, of a slide that has no profile (any more)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write(os.path.join(cls.folder.run, "run.json"), json.dumps({"configuration": {"command": "analyze", "icc": True}}))

    def test_are_those_of_the_run_unless_said_otherwise(self):
        for options, wanted in (((), 503), (("--no-icc",), 200)):
            self.viewer.kill()
            type(self).viewer = self.folder.viewer(*options)
            status, _, body = self.get("/api/slides/drawn/tiles/10/0_0.jpg")
            self.assertEqual(status, wanted, body[:200])
            if wanted != 200:
                self.assertIn(b"no ICC profile is in the file", body)


class Start(unittest.TestCase):
    def assert_fails(self, arguments, *words, **env):
        result = subprocess.run([CLMNET, "view", *arguments], capture_output=True, text=True, timeout=60, check=False,
                                env={**os.environ, **env})
        self.assertEqual(result.returncode, 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_failures(self):
        with RunFolder() as folder:
            deps = {"CLMNET_DEPS": os.path.join(folder.path, "deps")}
            self.assert_fails([os.path.join(folder.path, "no")], "no such folder", **deps)
            self.assert_fails([folder.slides], "run.json", **deps)
            self.assert_fails([folder.run, "--slides", os.path.join(folder.path, "no")], "--slides", **deps)
            self.assert_fails([folder.run, "--host", "192.0.2.1"], "cannot be listened on", **deps)
            self.assert_fails([folder.run, "--slides", folder.slides, "--icc"], "drawn.svs: no ICC profile is in the file", "leave out --icc", **deps)
            self.assert_fails([folder.run], "tools/setup", CLMNET_DEPS=folder.path + "/no")
            self.assert_fails([folder.run], "CLMNET_PAGE", CLMNET_PAGE=folder.path + "/no", **deps)
            write(os.path.join(folder.run, "drawn", "summary.json"), "{")
            self.assert_fails([folder.run], "summary.json", "no JSON", **deps)
            for name in ("drawn", "gone"):
                os.remove(os.path.join(folder.run, name, "summary.json"))
            self.assert_fails([folder.run], "no slide of this run is finished", **deps)


if __name__ == "__main__":
    run_tests()
