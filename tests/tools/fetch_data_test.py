"""tools/fetch-data against a server on 127.0.0.1 that truncates, lies, refuses and forgets."""

import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

FETCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "fetch-data")
MANIFESTS = os.path.join(os.path.dirname(FETCH), "..", "data_manifests")
BODY = bytes(i * 7 % 251 for i in range(300_000))
HEADER = "file,url,bytes,sha256,licence,um_per_px,patient_id\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path is a kind of server; `seen` holds what was asked: (path, Range header)."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        start = int(asked[len("bytes="):-1]) if asked else 0
        first = sum(path == self.path for path, _ in self.server.seen) == 1
        part = (("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"), ("ETag", '"v1"'))
        if self.path == "/missing":
            self.answer(404, b"no")
        elif self.path == "/down":
            self.answer(503, b"later")
        elif self.path == "/down-once" and first:
            self.answer(503, b"later")
        elif self.path == "/truncated-once" and first or self.path == "/truncated":
            self.answer(200, BODY[start:start + 1000] if not start else b"", part[1:], length=len(BODY) - start)
            self.close_connection = True
        elif self.path == "/no-range-truncated-once" and first:
            self.answer(200, BODY[:1000], length=len(BODY))
            self.close_connection = True
        elif self.path.startswith("/no-range"):
            self.answer(200, BODY)
        elif self.path == "/wrong-start" and asked:
            self.answer(206, BODY, (("Content-Range", f"bytes 0-{len(BODY) - 1}/{len(BODY)}"),))
        elif self.path == "/changed" and asked and self.headers.get("If-Range") != '"v2"':
            self.answer(200, BODY, (("ETag", '"v2"'),))
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:1000])
            self.wfile.flush()
            time.sleep(20)
        elif asked and start >= len(BODY):
            self.answer(416, b"")
        elif asked:
            self.answer(206, BODY[start:], part)
        else:
            self.answer(200, BODY, part[1:])


class FetchData(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.seen = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")

    def row(self, file, path, size=len(BODY), sha=hashlib.sha256(BODY).hexdigest()):
        return f"{file},{self.base}{path},{size},{sha},CC0-1.0,0.5,\n"

    def run_text(self, manifest, *options):
        path = os.path.join(self.folder, "m.csv")
        with open(path, "w", encoding="utf-8") as text:
            text.write(manifest)
        env = {**os.environ, "CLMNET_FETCH_PAUSE": "0", "no_proxy": "*"}
        return subprocess.run([sys.executable, FETCH, path, "-o", self.out, *options], env=env, capture_output=True, text=True,
                              timeout=60, check=False)

    def fetch(self, *rows, options=()):
        return self.run_text(HEADER + "".join(rows), *options)

    def content(self, name):
        with open(os.path.join(self.out, name), "rb") as stream:
            return stream.read()

    def assert_fails(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def seed_partial(self, name, data, version=None):
        os.makedirs(self.out, exist_ok=True)
        with open(os.path.join(self.out, f".{name}.part"), "wb") as stream:
            stream.write(data)
        if version:
            with open(os.path.join(self.out, f".{name}.part.json"), "w", encoding="utf-8") as text:
                json.dump({"version": version}, text)

    # ---- what works

    def test_downloads_and_leaves_nothing_else(self):
        result = self.fetch(self.row("sub/a.svs", "/a"), options=["--json"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.content("sub/a.svs"), BODY)
        self.assertEqual(os.listdir(os.path.join(self.out, "sub")), ["a.svs"])
        self.assertEqual(json.loads(result.stdout)["files"][0]["verified"], ["bytes", "sha256"])

    def test_second_run_asks_for_nothing(self):
        self.fetch(self.row("a", "/a"))
        self.server.seen.clear()
        self.assertEqual(self.fetch(self.row("a", "/a")).returncode, 0)
        self.assertEqual(self.server.seen, [])

    def test_without_bytes_and_checksum(self):
        self.assertEqual(self.fetch(self.row("a", "/a", "", "")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_goes_on_where_it_broke(self):
        self.assertEqual(self.fetch(self.row("a", "/truncated-once")).returncode, 0)
        self.assertEqual(self.server.seen[1], ("/truncated-once", "bytes=1000-"))
        self.assertEqual(self.content("a"), BODY)

    def test_goes_on_after_a_killed_run(self):
        self.seed_partial("a", BODY[:5000])
        self.assertEqual(self.fetch(self.row("a", "/a")).returncode, 0)
        self.assertEqual(self.server.seen, [("/a", "bytes=5000-")])
        self.assertEqual(self.content("a"), BODY)

    def test_complete_partial_only_gets_its_name(self):
        self.seed_partial("a", BODY)
        self.assertEqual(self.fetch(self.row("a", "/a")).returncode, 0)
        self.assertEqual(self.server.seen, [])
        self.assertEqual(os.listdir(self.out), ["a"])

    def test_server_without_ranges_starts_over(self):
        self.assertEqual(self.fetch(self.row("a", "/no-range-truncated-once")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_server_that_continues_elsewhere_starts_over(self):
        self.seed_partial("a", BODY[:5000])
        self.assertEqual(self.fetch(self.row("a", "/wrong-start")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_partial_of_an_older_version_is_dropped(self):
        self.seed_partial("a", b"x" * 5000, '"v0"')
        self.assertEqual(self.fetch(self.row("a", "/changed", "", "")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_unverifiable_partial_is_not_continued(self):
        self.seed_partial("a", b"x" * 5000)
        self.assertEqual(self.fetch(self.row("a", "/a", "", "")).returncode, 0)
        self.assertEqual(self.server.seen, [("/a", None)])
        self.assertEqual(self.content("a"), BODY)

    def test_damaged_partial_is_noticed_and_fetched_anew(self):
        self.seed_partial("a", b"x" * 5000)
        self.assertEqual(self.fetch(self.row("a", "/a")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_partial_longer_than_the_file(self):
        self.seed_partial("a", BODY + b"more")
        self.assertEqual(self.fetch(self.row("a", "/a")).returncode, 0)
        self.assertEqual(self.content("a"), BODY)

    def test_busy_server_is_asked_again(self):
        self.assertEqual(self.fetch(self.row("a", "/down-once")).returncode, 0)

    def test_only(self):
        self.assertEqual(self.fetch(self.row("a.svs", "/a"), self.row("b.svs", "/missing"), options=["--only", "a*"]).returncode, 0)

    # ---- what fails

    def test_one_failure_does_not_stop_the_others(self):
        result = self.fetch(self.row("a", "/missing"), self.row("b", "/b"), options=["--json"])
        self.assert_fails(result, "404", "1 of 2 files", "1 failed")
        self.assertEqual(self.content("b"), BODY)
        self.assertFalse(os.path.exists(os.path.join(self.out, "a")))
        self.assertEqual(json.loads(result.stdout)["failed"], 1)

    def test_not_found_is_asked_once(self):
        self.fetch(self.row("a", "/missing"))
        self.assertEqual(len(self.server.seen), 1)

    def test_always_truncated(self):
        self.assert_fails(self.fetch(self.row("a", "/truncated"), options=["--tries", "2"]), "of 300000 bytes")
        self.assertFalse(os.path.exists(os.path.join(self.out, "a")))

    def test_server_down(self):
        self.assert_fails(self.fetch(self.row("a", "/down"), options=["--tries", "3"]), "503")
        self.assertEqual(len(self.server.seen), 3)

    def test_wrong_checksum(self):
        self.assert_fails(self.fetch(self.row("a", "/a", sha="0" * 64)), "has sha256", "the manifest says 0000")
        self.assertEqual(os.listdir(self.out), [])

    def test_wrong_size_is_refused_before_it_is_downloaded(self):
        self.assert_fails(self.fetch(self.row("a", "/a", 12, "")), "the server offers 300000 bytes, the manifest says 12")
        self.assertEqual(os.listdir(self.out), [])

    def test_nobody_listens(self):
        row = "a,http://127.0.0.1:1/a,,,,,\n"
        self.assert_fails(self.fetch(row, options=["--tries", "1"]), "Connection refused")

    def test_other_file_of_that_name_is_kept(self):
        os.makedirs(self.out)
        with open(os.path.join(self.out, "a"), "w", encoding="utf-8") as text:
            text.write("mine")
        self.assert_fails(self.fetch(self.row("a", "/a")), "has 4 bytes", "not replaced")
        self.assertEqual(self.content("a"), b"mine")
        self.assertEqual(self.server.seen, [])

    def test_more_than_the_disk_holds(self):
        self.assert_fails(self.fetch(self.row("a", "/a", 10 ** 18)), "left; free some")
        self.assertEqual(self.server.seen, [])

    def test_link_out_of_the_folder(self):
        os.makedirs(self.out)
        os.symlink(self.folder, os.path.join(self.out, "link"))
        self.assert_fails(self.fetch(self.row("link/a", "/a")), "leads out of")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "a")))

    def test_names_that_leave_the_folder(self):
        for name in ("../a", "/tmp/a", "x/../../a", "..", "", "a/", "./a", "a\\..\\..\\b", "C:a", "a//b"):
            self.assert_fails(self.fetch(self.row(name, "/a")), "line 2", "would not lie below")
        self.assertEqual(self.server.seen, [])

    def test_other_schemes(self):
        for url in ("file:///etc/passwd", "ftp://x/y", "http://", ""):
            self.assert_fails(self.fetch(f"a,{url},,,,,\n"), "is not http")
        self.assertFalse(os.path.exists(self.out))

    def test_manifest_without_a_column(self):
        self.assert_fails(self.run_text("file,url\na,http://x/\n"), "no column 'bytes'; there are: file, url")

    def test_manifest_with_bad_cells(self):
        self.assert_fails(self.fetch(self.row("a", "/a", "1 MB")), "bytes '1 MB' is not a whole number")
        self.assert_fails(self.fetch(self.row("a", "/a", sha="abc")), "sha256 'abc' is not 64 hex digits")
        self.assert_fails(self.fetch("a,http://x/\n"), "more or fewer fields")

    def test_manifest_with_a_file_twice(self):
        self.assert_fails(self.fetch(self.row("a", "/a"), self.row("a", "/b")), "line 3: 'a' stands in line 2 already")
        self.assertEqual(self.server.seen, [])

    def test_manifest_missing_or_empty_or_binary(self):
        result = subprocess.run([sys.executable, FETCH, "/nowhere.csv", "-o", self.out], capture_output=True, text=True, check=False)
        self.assert_fails(result, "/nowhere.csv: cannot be read")
        self.assert_fails(self.run_text(""), "there are: none")

    def test_wrong_usage(self):
        result = subprocess.run([sys.executable, FETCH], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 2)

    def test_only_without_a_match(self):
        self.assert_fails(self.fetch(self.row("a", "/a"), options=["--only", "z*"]), "no file matches")

    def test_ctrl_c_keeps_what_came(self):
        manifest = os.path.join(self.folder, "m.csv")
        with open(manifest, "w", encoding="utf-8") as text:
            text.write(HEADER + self.row("a", "/slow"))
        child = subprocess.Popen([sys.executable, FETCH, manifest, "-o", self.out], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while not self.server.seen and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        _, messages = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 130, messages)
        self.assertIn("interrupted", messages)
        self.assertFalse(os.path.exists(os.path.join(self.out, "a")))


class Manifests(unittest.TestCase):
    """What is in data_manifests/ is in the form that fetch-data reads; an unreachable name would hide that, so --only misses all."""

    def test_form(self):
        names = sorted(os.listdir(MANIFESTS))
        self.assertGreaterEqual(len(names), 6)
        for name in names:
            with tempfile.TemporaryDirectory() as out:
                result = subprocess.run([sys.executable, FETCH, os.path.join(MANIFESTS, name), "-o", out, "--only", "/none"],
                                        capture_output=True, text=True, check=False)
            self.assertIn("no file matches --only", result.stderr, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + ["--verbose"] + sys.argv[1:])
