// A map over the slide: its tiles as codes, coloured here, so that threshold, colours and opacity need no server.
import { getBytes, getJson, slideAddress } from "./api.js";
import { codeAtLeast, lookupTable } from "./colour_maps.js";
import { tileOutline } from "./contours.js";

const MOST_TILES = 1200;  // of 64 KiB codes and 256 KiB colours each

export class MapLayer {
  /** layer: as /api/slides/ID lists it; changed: called when a tile or the counts have come. */
  constructor(slideId, layer, changed) {
    this.slideId = slideId;
    this.layer = layer;
    this.changed = changed;
    this.tiles = new Map();
    this.style = { map: "viridis", from: 1 };
    this.table = lookupTable("viridis", 1);
    this.version = 0;
  }

  /** map: colour map; from: codes below it are not shown. */
  setStyle(map, from) {
    if (map === this.style.map && from === this.style.from) return;
    this.style = { map, from };
    this.table = lookupTable(map, from);
    ++this.version;
  }

  /** The value that a place from 0 to 1 on the layer's scale stands for, the place of a value, and the value as text. */
  valueAt(place) { return this.layer.low + place * (this.layer.high - this.layer.low); }
  placeOf(value) { return (value - this.layer.low) / (this.layer.high - this.layer.low || 1); }
  text(value) {
    const span = this.layer.high - this.layer.low;
    return span > 0 && span < 0.1 ? value.toExponential(1) : value.toFixed(span > 20 ? 1 : 3);
  }

  /** Area at or over a place of the scale in mm2, of the finest level's pixels; undefined until the counts have come. */
  areaOver(place) {
    if (!this.histogram) {
      this.asked ??= getJson(slideAddress(this.slideId, "layers", this.layer.id, "histogram")).then((counts) => {
        this.histogram = counts;
        this.changed();
      }).catch(() => { setTimeout(() => { this.asked = undefined; }, 3000); });
      return undefined;
    }
    let count = 0;
    for (let code = codeAtLeast(place); code < 256; ++code) count += this.histogram[code];
    return count * this.layer.pixel_area_mm2;
  }

  /** The level whose pixels are at least one pixel of the screen. scale: screen px per level-0 px. */
  levelFor(scale) {
    const finest = scale * Math.min(this.layer.downsample_x, this.layer.downsample_y);
    const level = Math.ceil(Math.log2(1 / finest) - 1e-6);
    return Math.min(Math.max(level, 0), this.layer.levels.length - 1);
  }

  across(level) { return Math.ceil(this.layer.levels[level].width / this.layer.tile_px); }
  down(level) { return Math.ceil(this.layer.levels[level].height / this.layer.tile_px); }

  /** The tile, or undefined while it is fetched; null outside the map. */
  tile(level, column, row) {
    if (column < 0 || row < 0 || column >= this.across(level) || row >= this.down(level)) return null;
    const key = `${level}/${column}_${row}`;
    const found = this.tiles.get(key);
    if (found) {
      this.tiles.delete(key);  // a Map keeps the order of insertion: the oldest use comes first
      this.tiles.set(key, found);
      return found.values ? found : undefined;
    }
    const tile = { values: null };
    this.tiles.set(key, tile);
    getBytes(slideAddress(this.slideId, "layers", this.layer.id, key)).then((values) => {
      tile.values = values;
      this.changed();
    }).catch(() => { setTimeout(() => this.tiles.delete(key), 3000); });
    if (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value);
    return undefined;
  }

  coloured(tile) {
    if (tile.canvas && tile.version === this.version) return tile.canvas;
    const side = this.layer.tile_px;
    tile.canvas ??= Object.assign(document.createElement("canvas"), { width: side, height: side });
    const image = new ImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; ++i) pixels[i] = this.table[tile.values[i]];
    tile.canvas.getContext("2d").putImageData(image, 0, 0);
    tile.version = this.version;
    return tile.canvas;
  }

  outline(tile, level, column, row, from) {
    const left = column === 0 ? null : this.tile(level, column - 1, row)?.values;
    const above = row === 0 ? null : this.tile(level, column, row - 1)?.values;
    const state = `${from} ${left !== undefined} ${above !== undefined}`;
    if (tile.outlineState !== state) {
      tile.path = tileOutline(tile.values, this.layer.tile_px, from, left, above);
      tile.outlineState = state;
    }
    return tile.path;
  }

  /**
   * Draws what box (level-0 px) shows. The context's transform takes level-0 px to the canvas; scale: canvas px per level-0 px.
   * contour: null, or the code to outline at; line: canvas px that a thin line has on this screen.
   */
  draw(context, box, scale, opacity, contour, line) {
    const level = this.levelFor(scale);
    const { origin_x: x0, origin_y: y0, tile_px: side } = this.layer;
    const fx = this.layer.downsample_x * 2 ** level, fy = this.layer.downsample_y * 2 ** level;
    const range = (low, high, origin, step, count) => [
      Math.max(0, Math.floor((low - origin) / (step * side))), Math.min(count - 1, Math.floor((high - origin) / (step * side)))];
    const [left, right] = range(box.left, box.right, x0, fx, this.across(level));
    const [top, bottom] = range(box.top, box.bottom, y0, fy, this.down(level));
    const each = (visit) => {
      for (let row = top; row <= bottom; ++row) for (let column = left; column <= right; ++column) visit(column, row);
    };
    const inTile = (column, row, paint) => {
      context.save();
      context.translate(x0 + column * side * fx, y0 + row * side * fy);
      context.scale(fx, fy);
      paint();
      context.restore();
    };
    context.imageSmoothingEnabled = false;
    context.globalAlpha = opacity;
    each((column, row) => {
      const tile = this.tile(level, column, row);
      if (tile) inTile(column, row, () => context.drawImage(this.coloured(tile), 0, 0));
      else if (tile === undefined) this.drawCoarser(context, level, column, row, inTile);
    });
    context.globalAlpha = 1;
    if (contour === null) return;
    each((column, row) => {
      const tile = this.tile(level, column, row);
      if (!tile) return;
      const path = this.outline(tile, level, column, row, contour);
      inTile(column, row, () => {
        for (const [colour, width] of [["#ffffff", 3.6], ["#000000", 1.8]]) {
          context.strokeStyle = colour;
          context.lineWidth = width * line / (scale * Math.sqrt(fx * fy));
          context.stroke(path);
        }
      });
    });
  }

  /** While a tile is on its way, the part of a coarser one that is here already. */
  drawCoarser(context, level, column, row, inTile) {
    const side = this.layer.tile_px;
    for (let coarser = level + 1, factor = 2; coarser < this.layer.levels.length; ++coarser, factor *= 2) {
      const found = this.tiles.get(`${coarser}/${Math.floor(column / factor)}_${Math.floor(row / factor)}`);
      if (!found?.values) continue;
      const part = side / factor;
      inTile(column, row, () => context.drawImage(this.coloured(found), (column % factor) * part, (row % factor) * part, part, part,
        0, 0, side, side));
      return;
    }
  }
}
