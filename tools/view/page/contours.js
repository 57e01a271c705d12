// Outlines of the pixels of a map tile at or over a code, along the pixels' edges.

/**
 * Path of the edges inside a tile and at its left and upper border; the right and lower border belong to the neighbours.
 * values  side x side codes; left, above: the neighbours' codes, null where there is no neighbour (outside counts as below),
 *         undefined where it has not come yet (the border is left open).
 */
export function tileOutline(values, side, from, left, above) {
  const path = new Path2D();
  const inside = (x, y) => values[y * side + x] >= from;
  const before = (x, y) => (x > 0 ? inside(x - 1, y) : left ? left[y * side + side - 1] >= from : left === undefined ? inside(x, y) : false);
  const over = (x, y) => (y > 0 ? inside(x, y - 1) : above ? above[(side - 1) * side + x] >= from : above === undefined ? inside(x, y) : false);
  for (let y = 0; y < side; ++y) {
    for (let x = 0, begin = -1; x <= side; ++x) {
      const edge = x < side && inside(x, y) !== over(x, y);
      if (edge && begin < 0) begin = x;
      if (!edge && begin >= 0) {
        path.moveTo(begin, y);
        path.lineTo(x, y);
        begin = -1;
      }
    }
  }
  for (let x = 0; x < side; ++x) {
    for (let y = 0, begin = -1; y <= side; ++y) {
      const edge = y < side && inside(x, y) !== before(x, y);
      if (edge && begin < 0) begin = y;
      if (!edge && begin >= 0) {
        path.moveTo(x, begin);
        path.lineTo(x, y);
        begin = -1;
      }
    }
  }
  return path;
}
