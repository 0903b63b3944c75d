/* The image with its points, zoomed and moved. */

const COLOURS = { left: "#ff961e", right: "#28a5ff", middle: "#f0f0f0" };
const RIM = "#0c0c14";
const MAX_ZOOM = 40; // screen pixels of one image pixel
const REACH = 18; // screen pixels around a point that select it
const LOUPE_ZOOM = 5;

class ImageView {
  constructor(canvas, loupe, labels, bones) {
    Object.assign(this, { canvas, loupe, labels, bones });
    this.bitmap = null;
    this.shows = -1; // frame of the bitmap
    this.whole = false; // show the whole image, else the person
    this.shown = true; // the points
    this.held = false; // a point is being dragged
    this.scale = 1;
    this.left = this.top = 0; // screen position of the image's corner
  }

  get size() {
    return this.labels.images[this.labels.frame];
  }

  show(frame, bitmap) {
    this.bitmap?.close();
    [this.shows, this.bitmap] = [frame, bitmap];
    this.draw();
  }

  /* Fill the canvas with the whole image or with the person. */
  frameUp() {
    const { width, height } = this.size;
    const known = this.whole ? [] : this.labels.points.filter((point) => point[2] !== ABSENT);
    const [x, y] = [0, 1].map((axis) => known.map((point) => point[axis]));
    const box = known.length < 2 ? [0, 0, width, height] : [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
    const margin = known.length < 2 ? 1 : 1.35;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.room = [w, h];
    const least = Math.min(w / width, h / height);
    const fit = Math.min(w / (box[2] - box[0]), h / (box[3] - box[1])) / margin;
    this.scale = Math.max(least, Math.min(fit, MAX_ZOOM / 3));
    this.left = w / 2 - (this.scale * (box[0] + box[2])) / 2;
    this.top = h / 2 - (this.scale * (box[1] + box[3])) / 2;
    this.move(0, 0);
  }

  /* Keep what is in the middle there after the canvas has got another size. */
  resize() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const [dx, dy] = [(w - this.room[0]) / 2, (h - this.room[1]) / 2];
    this.room = [w, h];
    this.move(dx, dy);
  }

  zoom(factor, x, y) {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const least = 0.5 * Math.min(w / this.size.width, h / this.size.height);
    const scale = Math.max(least, Math.min(MAX_ZOOM, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.move(0, 0);
  }

  /* Zoom about the selected joint, or about the middle. */
  zoomAtJoint(factor) {
    const [x, y] = this.labels.point;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.zoom(factor, ...(x === null ? [w / 2, h / 2] : this.onScreen([x, y])));
    this.reveal();
  }

  /* Move the image; the middle of the canvas always shows some of it. */
  move(dx, dy) {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const within = (at, room, length) => Math.max(room / 2 - length, Math.min(room / 2, at));
    this.left = within(this.left + dx, w, this.scale * this.size.width);
    this.top = within(this.top + dy, h, this.scale * this.size.height);
    this.draw();
  }

  /* Move the selected joint into sight. */
  reveal() {
    if (this.labels.point[0] === null) return;
    const [x, y] = this.onScreen(this.labels.point);
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const outside = x < 20 || y < 20 || x > w - 20 || y > h - 20;
    if (outside) this.move(w / 2 - x, h / 2 - y);
  }

  onScreen([x, y]) {
    return [this.left + this.scale * x, this.top + this.scale * y];
  }

  inImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /* The joint at a place on the screen, or -1; the selected one wins where several are near. */
  jointAt(x, y) {
    const away = this.labels.points.map((point) => {
      if (point[2] === ABSENT) return Infinity;
      const [px, py] = this.onScreen(point);
      return Math.hypot(px - x, py - y);
    });
    if (away[this.labels.joint] < REACH / 2) return this.labels.joint;
    const nearest = away.indexOf(Math.min(...away));
    return away[nearest] <= REACH ? nearest : -1;
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    if (this.shows !== this.labels.frame) return; // it is being decoded
    pen.imageSmoothingEnabled = this.scale < 4;
    pen.drawImage(this.bitmap, this.left, this.top, this.scale * this.size.width, this.scale * this.size.height);
    if (this.shown) {
      this.drawBones(pen);
      this.labels.points.forEach((point, joint) => point[2] !== ABSENT && this.drawPoint(pen, point, joint));
    }
    this.drawLoupe();
  }

  drawBones(pen) {
    pen.lineCap = "round";
    for (const bone of this.bones) {
      const ends = bone.map((joint) => this.labels.points[joint]);
      if (ends.some((end) => end[2] === ABSENT)) continue;
      const sides = bone.map((joint) => sideOf(this.labels.names[joint]));
      const hidden = ends.some((end) => end[2] === OCCLUDED);
      pen.setLineDash(hidden ? [5, 6] : []);
      for (const rim of [true, false]) {
        pen.strokeStyle = rim ? RIM : COLOURS[sides[0] === sides[1] ? sides[0] : "middle"];
        pen.globalAlpha = (rim ? 0.4 : 0.85) * (this.held ? 0.45 : 1);
        pen.lineWidth = rim ? 4 : 2;
        pen.beginPath();
        ends.forEach((end) => pen.lineTo(...this.onScreen(end)));
        pen.stroke();
      }
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  /* A disc; a ring where it is occluded or dragged, so that the image is seen through it. */
  drawPoint(pen, point, joint) {
    const [x, y] = this.onScreen(point);
    const selected = joint === this.labels.joint;
    const colour = COLOURS[sideOf(this.labels.names[joint])];
    const circle = (radius, width, stroke) => {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.lineWidth = width;
      pen.strokeStyle = stroke;
      pen.stroke();
    };
    const open = point[2] === OCCLUDED || (selected && this.held);
    circle(5, open ? 5 : 4, RIM);
    if (open) circle(5, 2.5, colour);
    else {
      pen.fillStyle = colour;
      pen.fill();
    }
    if (!selected) return;
    circle(10, 4, RIM);
    circle(10, 2, "#fff");
    if (!this.held) this.drawName(pen, this.labels.names[joint].replaceAll("_", " "), x, y, colour);
  }

  drawName(pen, name, x, y, colour) {
    pen.font = "600 13px system-ui, sans-serif";
    const wide = pen.measureText(name).width;
    const left = x + 18 + wide > this.canvas.clientWidth ? x - 18 - wide : x + 18;
    pen.fillStyle = "rgb(12 12 20 / .8)";
    pen.beginPath();
    pen.roundRect(left - 6, y - 11, wide + 12, 22, 5);
    pen.fill();
    pen.fillStyle = colour;
    pen.textBaseline = "middle";
    pen.fillText(name, left, y + 1);
  }

  /* The surroundings of the selected joint, enlarged, with cross hairs. */
  drawLoupe() {
    const { pen, width, height } = sized(this.loupe);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    const { point, names, joint } = this.labels;
    if (point[0] === null || this.shows !== this.labels.frame) return;
    const zoom = Math.max(LOUPE_ZOOM, 2 * this.scale);
    const [w, h] = [this.size.width, this.size.height];
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.bitmap, width / 2 - zoom * point[0], height / 2 - zoom * point[1], zoom * w, zoom * h);
    for (const [colour, thick] of [[RIM, 3], [COLOURS[sideOf(names[joint])], 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      for (const [x, y, dx, dy] of [[0, 0.5, 1, 0], [1, 0.5, -1, 0], [0.5, 0, 0, 1], [0.5, 1, 0, -1]]) {
        pen.moveTo(x * width, y * height);
        pen.lineTo(dx ? width / 2 - 7 * dx : x * width, dy ? height / 2 - 7 * dy : y * height);
      }
      pen.stroke();
    }
  }
}
