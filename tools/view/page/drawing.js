// Polygon, brush and point on the slide, by mouse or by keys: with a tool chosen, Space acts at the cross in the middle.
import { byId } from "./dom.js";

const COLOURS = { "tumour": "#c80000", "not tumour": "#00723a" };

export class Drawing {
  /** done: called with {shape, points, radius_px, label} when a shape is finished. */
  constructor(view, done) {
    Object.assign(this, { view, done, tool: "look", label: "tumour", radiusUm: 50, points: [], shapes: [] });
    const { viewer } = view;
    viewer.addHandler("canvas-click", (event) => this.click(event));
    viewer.addHandler("canvas-double-click", (event) => {
      if (this.tool !== "look") event.preventDefaultAction = true;
      if (this.tool === "polygon") this.finish();
    });
    viewer.addHandler("canvas-press", (event) => {
      if (this.tool === "brush") this.points = [this.at(event.position)];
    });
    viewer.addHandler("canvas-drag", (event) => {
      if (this.tool !== "brush") return;
      event.preventDefaultAction = true;
      this.points.push(this.at(event.position));
      view.redraw();
    });
    viewer.addHandler("canvas-drag-end", (event) => {
      if (this.tool !== "brush") return;
      event.preventDefaultAction = true;
      this.finish();
    });
    view.drawers.push((context, frame) => this.draw(context, frame));
  }

  at(position) {
    const point = this.view.toSlide(position);
    const { width, height } = this.view.size;
    return [Math.min(Math.max(point.x, 0), width), Math.min(Math.max(point.y, 0), height)];
  }

  setTool(tool) {
    this.tool = tool;
    this.points = [];
    byId("crosshair").hidden = tool === "look";
    for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-checked", String(button.dataset.tool === tool));
    this.view.redraw();
  }

  setLabel(label) {
    this.label = label;
    for (const button of document.querySelectorAll("[data-label]")) button.setAttribute("aria-checked", String(button.dataset.label === label));
    this.view.redraw();
  }

  click(event) {
    if (!event.quick || this.tool === "look" || !this.view.image) return;
    event.preventDefaultAction = true;
    this.add(this.at(event.position));
  }

  /** One more point, as a click or Space does. */
  add(point) {
    if (this.tool === "polygon") this.points.push(point);
    else {
      this.points = [point];
      this.finish();
    }
    this.view.redraw();
  }

  addAtCentre() {
    if (this.tool === "look" || !this.view.image) return;
    const { x, y } = this.view.centre();
    const { width, height } = this.view.size;
    this.add([Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)]);
  }

  /** Takes the last corner back; false when there is none. */
  takeBack() {
    if (this.points.length === 0) return false;
    this.points.pop();
    this.view.redraw();
    return true;
  }

  finish() {
    let points = this.points;
    // A double click has put its point down twice.
    points = points.filter((point, i) => i === 0 || Math.hypot(point[0] - points[i - 1][0], point[1] - points[i - 1][1]) > 0.5);
    this.points = [];
    if (points.length >= (this.tool === "polygon" ? 3 : 1)) {
      this.done({ shape: this.tool, points, label: this.label, ...(this.tool === "brush" ? { radius_px: this.radiusUm / this.view.um.x } : {}) });
    }
    this.view.redraw();
  }

  draw(context, frame) {
    frame.toSlideSpace();
    for (const shape of this.shapes) this.outline(context, frame, shape, false);
    if (this.points.length > 0) {
      this.outline(context, frame, { shape: this.tool, points: this.points, label: this.label, radius_px: this.radiusUm / this.view.um.x }, true);
    }
  }

  outline(context, frame, { shape, points, label, radius_px: radius }, open) {
    const px = frame.ratio / frame.scale;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    if (shape === "point") context.arc(points[0][0], points[0][1], 6 * px, 0, 7);
    else if (points.length === 1) context.arc(points[0][0], points[0][1], shape === "brush" ? radius : 3 * px, 0, 7);
    else {
      points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
      if (shape === "polygon" && !open) context.closePath();
    }
    if (shape === "brush" && points.length > 1) {
      context.globalAlpha = 0.45;
      context.strokeStyle = COLOURS[label];
      context.lineWidth = 2 * radius;
      context.stroke();
      context.globalAlpha = 1;
      return;
    }
    for (const [colour, width] of [["#ffffff", 5], [COLOURS[label], 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * px;
      if (label === "not tumour") context.setLineDash([8 * px, 5 * px]);
      context.stroke();
      context.setLineDash([]);
    }
  }
}
