"""The finest level of a tiled 8-bit grey TIFF (plain or deflate, with or without horizontal predictor), read by hand, so that a
test does not read a map with the code that wrote it."""

import itertools
import struct
import zlib

TYPES = {3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}


def read_tags(data):
    """Tags of the first directory: number to list of integers. Other types than these are left out."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word, entry, room = ("Q", "HHQQ", 8) if big else ("I", "HHII", 4)
    at = struct.unpack_from(order + word, data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    size, tags = struct.calcsize("<" + entry), {}
    for i in range(count):
        place = at + i * size
        tag, kind, length, _ = struct.unpack_from(order + entry, data, place)
        if kind not in TYPES:
            continue
        code, width = TYPES[kind]
        values_at = place + size - room
        if width * length > room:
            values_at = struct.unpack_from(order + word, data, values_at)[0]
        tags[tag] = list(struct.unpack_from(f"{order}{length}{code}", data, values_at))
    return tags


def read_grey(path):
    """(width, height, bytes row by row)."""
    with open(path, "rb") as file:
        data = file.read()
    tags = read_tags(data)
    width, height, tile_width, tile_height = (tags[tag][0] for tag in (256, 257, 322, 323))
    assert tags.get(258, [8]) == [8] and tags.get(277, [1]) == [1], "not 8-bit grey"
    compression, predictor = tags.get(259, [1])[0], tags.get(317, [1])[0]
    assert compression in (1, 8, 32946) and predictor in (1, 2), (compression, predictor)
    out = bytearray(width * height)
    across = -(-width // tile_width)
    for index, (offset, size) in enumerate(zip(tags[324], tags[325])):
        tile = data[offset:offset + size]
        if compression != 1:
            tile = zlib.decompress(tile)
        left, top = index % across * tile_width, index // across * tile_height
        used = min(tile_width, width - left)
        for y in range(min(tile_height, height - top)):
            row = tile[y * tile_width:(y + 1) * tile_width]
            if predictor == 2:
                row = bytes(value & 255 for value in itertools.accumulate(row))
            out[(top + y) * width + left:(top + y) * width + left + used] = row[:used]
    return width, height, bytes(out)
