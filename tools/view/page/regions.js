// The regions that the analysis outlined: shared by the page and the report.
import { getJson, slideAddress } from "./api.js";

/** What regions can be ranked by, highest first. */
export const RANKS = {
  load: (region) => region.area * region.mean,
  probability: (region) => region.mean,
  area: (region) => region.area,
};

export const ranked = (regions, rank) => [...regions].sort((a, b) => RANKS[rank](b) - RANKS[rank](a));

function boxOf([outer]) {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const [x, y] of outer) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/** Of a slide: {id, rings, box, area in mm2, mean and max probability}; none where nothing was outlined. */
export async function regionsOf(slideId) {
  const { features } = await getJson(slideAddress(slideId, "outlines")).catch(() => ({ features: [] }));
  return features.filter((feature) => feature.geometry?.type === "Polygon").map(({ id, geometry: { coordinates }, properties: { measurements = {} } }) => ({
    id, rings: coordinates, box: boxOf(coordinates), area: measurements.area_mm2 ?? 0, mean: measurements.mean_probability ?? 0,
    max: measurements.max_probability ?? 0,
  }));
}

/** Address of a picture of a level-0 box {x, y, width, height} whose longer side is `side` px. */
export const cropAddress = (slideId, box, side) => slideAddress(slideId, "crop.jpg") + "?" + new URLSearchParams({ ...box, side });

/** Address of a square picture of a region with some of its surroundings. */
export function regionPicture(slideId, { left, right, top, bottom }, side) {
  const length = Math.ceil(Math.max(right - left, bottom - top) * 1.2);
  const from = (low, high) => Math.max(0, Math.round((low + high) / 2 - length / 2));
  return cropAddress(slideId, { x: from(left, right), y: from(top, bottom), width: length, height: length }, side);
}
