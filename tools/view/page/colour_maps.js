// Colour maps of even steps to the eye. Anchors every 1/32 of viridis (Smith and van der Walt 2015) and cividis (Nunez, Anderton
// and Renslow 2018, made for colour-blind readers), both CC0; between them colours are mixed.
const ANCHORS = {
  viridis: "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e21918c1f978b1f9f8821a685" +
    "27ad8131b57b3dbc744cc26c5cc8636ece5881d34d95d840aadc32c0df25d5e21aeae51afde725",
  cividis: "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f70737676767d7c788381798b8778928d78" +
    "9a9376a29975aaa073b3a670bbad6dc3b369ccba64d4c15fddc858e6d051efd748f8df3cfee838",
  grey: "000000ffffff",
};

export const COLOUR_MAPS = Object.keys(ANCHORS);

/** [r, g, b] of 0..255 at a value in [0, 1]. */
export function colourAt(name, value) {
  const hex = ANCHORS[name];
  const steps = hex.length / 6 - 1;
  const place = Math.min(Math.max(value, 0), 1) * steps;
  const lower = Math.min(Math.floor(place), steps - 1);
  const channel = (anchor, c) => parseInt(hex.slice(anchor * 6 + c * 2, anchor * 6 + c * 2 + 2), 16);
  return [0, 1, 2].map((c) => Math.round(channel(lower, c) + (place - lower) * (channel(lower + 1, c) - channel(lower, c))));
}

/** The probability that a code stands for; code 0 is 'no data'. */
export const probabilityOf = (code) => (code - 1) / 254;

/** The smallest code whose probability is at least `threshold`. */
export const codeAtLeast = (threshold) => Math.min(256, Math.max(1, Math.ceil(254 * threshold - 1e-9) + 1));

/** 256 pixels as canvas wants them (little endian ABGR); codes below `from` and 'no data' are transparent. */
export function lookupTable(name, from) {
  const table = new Uint32Array(256);
  for (let code = Math.max(1, from); code < 256; ++code) {
    const [r, g, b] = colourAt(name, probabilityOf(code));
    table[code] = (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  }
  return table;
}
