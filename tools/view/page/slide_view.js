// The slide with its maps, scale bar and magnification. Coordinates are level-0 pixels of the scan.
/* global OpenSeadragon */
import { slideAddress } from "./api.js";

const BAR_REM = 10;  // the scale bar's longest length, in heights of the page's text

/**
 * OpenSeadragon's canvas stretches tiles without overlap by a pixel of the screen to hide their seams, and so moves what they show
 * by up to that under the maps. Here the edges of tiles are put on whole pixels of the screen instead, half a pixel away at most;
 * a turned slide's tiles grow by half a pixel on every side.
 */
function exactDrawer() {
  return class ExactDrawer extends OpenSeadragon.CanvasDrawer {
    minimumOverlapRequired() { return false; }

    draw(images) {
      const turned = this.viewport.getRotation(true) % 360 !== 0;
      for (const image of images) for (const { tile } of image.getTilesToDraw()) (turned ? this.grow : this.snap)(tile);
      super.draw(images);
    }

    grow(tile) {
      if (tile.position.grown) return;  // drawn again without having been placed again
      tile.position = Object.assign(tile.position.minus(new OpenSeadragon.Point(0.5, 0.5)), { grown: true });
      tile.size = tile.size.plus(new OpenSeadragon.Point(1, 1));
    }

    snap(tile) {
      const ratio = OpenSeadragon.pixelDensityRatio;
      const whole = (value) => Math.round(value * ratio + 1e-6) / ratio;  // neighbours share an edge but for its last digits
      const [left, top] = [whole(tile.position.x), whole(tile.position.y)];
      tile.size = new OpenSeadragon.Point(whole(tile.position.x + tile.size.x) - left, whole(tile.position.y + tile.size.y) - top);
      tile.position = new OpenSeadragon.Point(left, top);
    }
  };
}

export class SlideView {
  /** element: where the slide goes; drawers: functions (context, view) that draw over it, in order. */
  constructor(element) {
    this.drawers = [];
    this.listeners = [];
    // OpenSeadragon adds a style of its own for phones where it finds none, and the content security policy refuses it. An
    // element of that name that is not HTML's is found and styles nothing.
    const stand = document.createElementNS("", "style");
    stand.setAttribute("data-openseadragon-mobile-css", "none");
    document.head.append(stand);
    this.viewer = OpenSeadragon({
      element, drawer: exactDrawer(), smoothTileEdgesMinZoom: Infinity, showNavigationControl: false, showNavigator: true, navigatorPosition: "BOTTOM_RIGHT", navigatorAutoFade: false,
      navigatorSizeRatio: 0.16, animationTime: 0.5, springStiffness: 9, maxZoomPixelRatio: 4, minZoomImageRatio: 0.7,
      visibilityRatio: 0.3, imageSmoothingEnabled: true, gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      maxImageCacheCount: 1200, imageLoaderLimit: 6, maxTilesPerFrame: 6, keyboardNavEnabled: false, crossOriginPolicy: false,
    });
    this.canvas = document.createElement("canvas");
    this.canvas.className = "overlay";
    this.canvas.setAttribute("aria-hidden", "true");
    this.viewer.canvas.appendChild(this.canvas);
    this.viewer.addHandler("update-viewport", () => this.draw());
    this.viewer.addHandler("open", () => this.opened());
    new ResizeObserver(() => this.redraw()).observe(element);
  }

  /** details: as /api/slides/ID gives them. */
  open(details) {
    const { summary } = details;
    this.details = details;
    this.um = { x: summary.um_per_px_x, y: summary.um_per_px_y };
    this.size = { width: summary.width_level0_px, height: summary.height_level0_px };
    const tiles = slideAddress(details.id, "tiles");
    return new Promise((resolve, reject) => {
      this.viewer.addOnceHandler("open", resolve);
      this.viewer.addOnceHandler("open-failed", (event) => reject(new Error(event.message)));
      this.viewer.open({
        ...this.size, tileSize: details.tile_px, tileOverlap: 0, minLevel: Math.min(8, details.max_level), maxLevel: details.max_level,
        getTileUrl: (level, x, y) => `${tiles}/${level}/${x}_${y}.jpg`,
      });
    });
  }

  close() {
    this.details = null;
    this.viewer.close();
    this.redraw();
  }

  opened() {
    this.viewer.viewport.maxZoomPixelRatio = 4;
    this.redraw();
  }

  get image() { return this.details ? this.viewer.world.getItemAt(0) : undefined; }

  toScreen(x, y) { return this.image.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y)); }
  toSlide(point) { return this.image.viewerElementToImageCoordinates(point); }

  /** Screen (CSS) px per level-0 px. */
  scale() {
    const a = this.toScreen(0, 0), b = this.toScreen(1000, 0);
    return Math.hypot(b.x - a.x, b.y - a.y) / 1000;
  }

  centre() {
    const size = this.viewer.viewport.getContainerSize();
    return this.toSlide(new OpenSeadragon.Point(size.x / 2, size.y / 2));
  }

  /** The level-0 box around all that is on the screen. */
  visibleBox() {
    const { x: width, y: height } = this.viewer.viewport.getContainerSize();
    const corners = [[0, 0], [width, 0], [0, height], [width, height]].map(([x, y]) => this.toSlide(new OpenSeadragon.Point(x, y)));
    const xs = corners.map((p) => p.x), ys = corners.map((p) => p.y);
    return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  }

  /** What the drawers show has changed. */
  redraw() {
    this.stale = true;
    this.viewer.forceRedraw();
  }

  /**
   * Draws over the frame that OpenSeadragon has just drawn, so that both show the same place. A frame in which only a tile of the
   * slide has come leaves the overlay as it is.
   */
  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { x: width, y: height } = this.viewer.viewport?.getContainerSize() ?? { x: 0, y: 0 };
    const w = Math.round(width * ratio), h = Math.round(height * ratio);
    const place = this.image ? [w, h, ...[[0, 0], [1000, 0], [0, 1000]].map(([u, v]) => this.toScreen(u, v).toString())].join() : "";
    if (!this.stale && place === this.place) return;
    Object.assign(this, { stale: false, place });
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    if (!this.image) return;
    const o = this.toScreen(0, 0), x = this.toScreen(1000, 0), y = this.toScreen(0, 1000);
    const frame = {
      ratio, width: w, height: h, box: this.visibleBox(), scale: this.scale() * ratio,
      toSlideSpace: () => context.setTransform((x.x - o.x) / 1000 * ratio, (x.y - o.y) / 1000 * ratio,
        (y.x - o.x) / 1000 * ratio, (y.y - o.y) / 1000 * ratio, o.x * ratio, o.y * ratio),
      toScreenSpace: () => context.setTransform(1, 0, 0, 1, 0, 0),
    };
    for (const drawer of this.drawers) {
      context.save();
      drawer(context, frame);
      context.restore();
    }
    for (const listener of this.listeners) listener();
  }

  /** Length and label of the scale bar. */
  scaleBar() {
    const umPerScreenPx = this.um.x / this.scale();
    const wanted = BAR_REM * parseFloat(getComputedStyle(document.documentElement).fontSize) * umPerScreenPx;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const um = [5, 2, 1].map((step) => step * power).find((value) => value <= wanted);
    return { px: um / umPerScreenPx, label: um >= 1000 ? `${um / 1000} mm` : `${+um.toPrecision(3)} µm` };
  }

  /** As through an objective; the scan's own one where the file says it. */
  magnification() {
    const umPerScreenPx = this.um.x / this.scale();
    const power = this.details.objective_power;
    const shown = power ? power * this.scale() : 10 / umPerScreenPx;
    const digits = shown < 10 ? shown.toFixed(shown < 1 ? 2 : 1) : Math.round(shown);
    return `${power ? "" : "≈ "}${digits}× · ${umPerScreenPx.toPrecision(3)} µm/px`;
  }

  /** Flies to a level-0 box. */
  flyTo(box, margin = 0.6) {
    const grown = { x: box.left - (box.right - box.left) * margin / 2, y: box.top - (box.bottom - box.top) * margin / 2,
      width: (box.right - box.left) * (1 + margin), height: (box.bottom - box.top) * (1 + margin) };
    const smallest = 300 / this.um.x;  // a region of a few cells is shown with its surroundings
    if (grown.width < smallest && grown.height < smallest) {
      grown.x -= (smallest - grown.width) / 2;
      grown.y -= (smallest - grown.height) / 2;
      grown.width = grown.height = smallest;
    }
    this.viewer.viewport.fitBounds(this.image.imageToViewportRectangle(grown.x, grown.y, grown.width, grown.height));
  }

  home() { this.viewer.viewport.goHome(); }
  zoomBy(factor) { this.viewer.viewport.zoomBy(factor).applyConstraints(); }
  /** Zooms so that the screen shows the slide as that objective would. */
  zoomToObjective(power) {
    const native = this.details.objective_power ?? 10 / this.um.x;
    this.viewer.viewport.zoomTo(this.image.imageToViewportZoom(power / native)).applyConstraints();
  }
  panBy(dx, dy) {
    const size = this.viewer.viewport.getContainerSize();
    const delta = this.viewer.viewport.deltaPointsFromPixels(new OpenSeadragon.Point(dx * size.x, dy * size.y));
    this.viewer.viewport.panBy(delta.rotate ? delta.rotate(-this.viewer.viewport.getRotation()) : delta).applyConstraints();
  }
  rotateBy(degrees) { this.viewer.viewport.rotateBy(degrees); }
}
