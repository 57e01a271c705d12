"""How fast clmnet view answers for tiles while several viewers pan: median, 99th percentile, tiles a second, and the server's CPU
time per tile, which other work on the machine changes less. Not a test: a machine that does other work gives other figures.

Usage: view_load.py CLMNET RUN SLIDES_FOLDER [VIEWERS [SECONDS [SLIDE]]]
SLIDE is its folder's name in RUN; default: the first. Each viewer holds one connection, asks for the next tile as soon as the last
has come, walks over neighbouring tiles as a pan does and changes the level now and then. Tiles seen before are in the server's
cache, as they are for a real viewer.
"""

import http.client
import json
import os
import random
import sys
import threading
import time

from view_fixture import Viewer


def pan(viewer, slide, seed, until, times):
    draw = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    summary, top = slide["summary"], slide["max_level"]
    level, column, row = top, 0, 0
    while time.monotonic() < until:
        if draw.random() < 0.05:
            level, column, row = draw.randint(max(top - 6, 0), top), -1, -1
        across = -(-summary["width_level0_px"] // (256 << (top - level)))
        down = -(-summary["height_level0_px"] // (256 << (top - level)))
        if column < 0:
            column, row = draw.randrange(across), draw.randrange(down)
        column = min(max(column + draw.choice((-1, 0, 1)), 0), across - 1)
        row = min(max(row + draw.choice((-1, 0, 1)), 0), down - 1)
        begin = time.perf_counter()
        connection.request("GET", f"/api/slides/{slide['id']}/tiles/{level}/{column}_{row}.jpg")
        response = connection.getresponse()
        response.read()
        times.append(time.perf_counter() - begin)
        assert response.status == 200, response.status


def cpu_seconds(process):
    """User and system time of a running process so far."""
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    run, slides = sys.argv[1:3]  # view_fixture has taken the program
    viewers = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 20
    viewer = Viewer(run, slides)
    try:
        first = sys.argv[5] if len(sys.argv) > 5 else json.loads(viewer.ask("GET", "/api/slides")[2])[0]["id"]
        slide = json.loads(viewer.ask("GET", f"/api/slides/{first}")[2])
        times, until, before = [], time.monotonic() + seconds, cpu_seconds(viewer.process)
        threads = [threading.Thread(target=pan, args=(viewer, slide, seed, until, times)) for seed in range(viewers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times.sort()
        print(f"{viewers} viewers, {len(times)} tiles, {len(times) / seconds:.0f} tiles/s, median {1e3 * times[len(times) // 2]:.1f} ms, "
              f"99 % {1e3 * times[int(len(times) * 0.99)]:.1f} ms, longest {1e3 * times[-1]:.1f} ms, "
              f"CPU {1e3 * (cpu_seconds(viewer.process) - before) / len(times):.2f} ms a tile, load {os.getloadavg()[0]:.1f}")
    finally:
        viewer.kill()


main()
