/* The video with the skeletons drawn over it, projected with the camera of the frame. */

class Film {
  constructor(canvas, motions, colours) {
    this.canvas = canvas;
    this.motions = motions;
    this.colours = colours;
    this.frame = 0;
    this.shown = true;
  }

  show(frame) {
    this.frame = frame;
    this.draw();
  }

  draw() {
    const { pen, width, height } = sized(this.canvas);
    pen.clearRect(0, 0, width, height);
    if (!this.shown) return;
    this.motions.forEach((motion, index) => this.drawPerson(pen, width, height, motion, index + 1));
  }

  drawPerson(pen, width, height, motion, number) {
    const { frame } = this;
    if (!motion.tracked[frame]) return;
    const scale = Math.min(width / motion.source.width, height / motion.source.height);
    const left = (width - scale * motion.source.width) / 2;
    const top = (height - scale * motion.source.height) / 2;
    const points = motion.names.map((_, joint) => {
      const pixel = pixelOf(motion, frame, placeOf(motion, frame, joint));
      return pixel && [left + scale * pixel[0], top + scale * pixel[1]];
    });
    pen.lineCap = "round";
    const thick = Math.max(2, Math.min(4, Math.min(width, height) / 130));
    const alpha = motion.seen[frame] ? 0.95 : 0.5;
    if (this.motions.length > 1) this.drawNumber(pen, points[motion.joint.head], number);
    for (const rim of [true, false]) {
      motion.parents.forEach((parent, joint) => {
        if (parent < 0 || !points[parent] || !points[joint]) return;
        // Always the colours of the dark theme: the video does not change with the theme.
        pen.strokeStyle = rim ? "#0c0c14" : FILM_COLOURS[sideOf(motion.names[joint])];
        pen.globalAlpha = rim ? 0.55 * alpha : alpha;
        pen.lineWidth = rim ? thick + 2.5 : thick;
        pen.beginPath();
        pen.moveTo(...points[parent]);
        pen.lineTo(...points[joint]);
        pen.stroke();
      });
    }
  }

  drawNumber(pen, place, number) {
    if (!place) return;
    pen.globalAlpha = 1;
    pen.font = "600 15px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 3;
    pen.strokeStyle = "#0c0c14";
    pen.fillStyle = FILM_COLOURS.middle;
    pen.strokeText(number, place[0], place[1] - 12);
    pen.fillText(number, place[0], place[1] - 12);
  }
}

const FILM_COLOURS = { left: "#ff961e", right: "#28a5ff", middle: "#f0f0f0" };
