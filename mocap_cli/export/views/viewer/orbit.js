/* The orbit: a camera that circles its target, controlled by mouse and touch. */

const FIELD = Math.tan((18 * Math.PI) / 180); // half the field of view
const NEAR = 0.05;

class Orbit {
  constructor(canvas, onChange, onReset) {
    this.canvas = canvas;
    this.target = [0, 1, 0];
    this.pan = [0, 0, 0];
    this.yaw = 0;
    this.pitch = 0;
    this.distance = 5;
    this.listen(canvas, onChange, onReset);
  }

  listen(canvas, onChange, onReset) {
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
    });
    const leave = (event) => pointers.delete(event.pointerId);
    canvas.addEventListener("pointerup", leave);
    canvas.addEventListener("pointercancel", leave);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
      if (pointers.size > 1) {
        const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
        const gap = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
        this.zoom(gap(before) / Math.max(gap(event), 1));
        this.shift(dx / 2, dy / 2);
      } else if (event.shiftKey || event.buttons > 1) this.shift(dx, dy);
      else this.turn(dx, dy);
      pointers.set(event.pointerId, event);
      onChange();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 400));
      onChange();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => {
      onReset();
      onChange();
    });
  }

  turn(dx, dy) {
    this.yaw -= dx / 140;
    this.pitch = Math.max(-1.57, Math.min(1.57, this.pitch + dy / 160));
  }

  zoom(factor) {
    this.distance = Math.max(1, Math.min(80, this.distance * factor));
  }

  shift(dx, dy) {
    const { right, up } = this.axes();
    const size = (2 * FIELD * this.distance) / this.canvas.clientHeight;
    this.pan = this.pan.map((value, axis) => value - size * (dx * right[axis] - dy * up[axis]));
  }

  axes() {
    const [sy, cy, sp, cp] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    return { right: [cy, 0, -sy], up: [-sy * sp, cp, -cy * sp], ahead: [-sy * cp, -sp, -cy * cp] };
  }

  /* The camera of one drawing: a function from a position to [x, y, depth]. */
  lens(width, height) {
    const { right, up, ahead } = this.axes();
    this.aim = this.target.map((value, axis) => value + this.pan[axis]);
    const eye = this.aim.map((value, axis) => value - this.distance * ahead[axis]);
    this.scale = Math.min(height, width * 1.15) / 2 / FIELD;
    return (place) => {
      const [x, y, z] = place.map((value, axis) => value - eye[axis]);
      const depth = x * ahead[0] + y * ahead[1] + z * ahead[2];
      const size = this.scale / Math.max(depth, NEAR);
      return [
        width / 2 + size * (x * right[0] + y * right[1] + z * right[2]),
        height / 2 - size * (x * up[0] + y * up[1] + z * up[2]),
        depth,
      ];
    };
  }
}
