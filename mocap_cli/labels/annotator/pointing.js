/* Mouse, pen and touch on the image: select, drag, move, zoom. */

class Pointing {
  constructor(view, labels, onSelect) {
    Object.assign(this, { view, labels, onSelect });
    this.space = false; // the space bar is down: drag moves the image
    this.drag = null;
    this.drags = 0; // each is one step of undo
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.up());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const factor = Math.exp(-Math.max(-90, Math.min(90, event.deltaY)) / 350);
      view.zoom(factor, event.offsetX, event.offsetY);
    }, { passive: false });
  }

  setSpace(on) {
    this.space = on;
    this.view.canvas.classList.toggle("moving", on);
  }

  down(event) {
    const { view, labels } = this;
    const [x, y] = [event.offsetX, event.offsetY];
    view.canvas.setPointerCapture(event.pointerId);
    const joint = view.jointAt(x, y);
    if (this.space || event.button > 0) this.drag = { x, y };
    else if (event.shiftKey || (joint < 0 && labels.point[2] === ABSENT)) this.put(x, y);
    else if (joint < 0) this.drag = { x, y };
    else this.take(joint, x, y);
  }

  take(joint, x, y) {
    this.onSelect(joint);
    const [px, py] = this.view.onScreen(this.labels.point);
    this.drags += 1;
    this.drag = { joint, dx: px - x, dy: py - y, x, y, begun: false };
  }

  /* Place the selected joint; of a person without points all joints are clicked one by one. */
  put(x, y) {
    const absent = this.labels.point[2] === ABSENT;
    this.labels.place(...this.view.inImage(x, y));
    const next = absent ? this.labels.nextAbsent() : undefined;
    if (next !== undefined) this.onSelect(next);
  }

  moved(event) {
    const { drag, view } = this;
    const [x, y] = [event.offsetX, event.offsetY];
    if (!drag) {
      view.canvas.classList.toggle("over", !this.space && view.jointAt(x, y) >= 0);
      return;
    }
    if (drag.joint === undefined) {
      view.move(x - drag.x, y - drag.y);
      [drag.x, drag.y] = [x, y];
    } else if (drag.begun || Math.hypot(x - drag.x, y - drag.y) > 2) this.pull(x, y);
  }

  pull(x, y) {
    const { drag, view } = this;
    drag.begun = view.held = true;
    this.labels.place(...view.inImage(x + drag.dx, y + drag.dy), `drag ${this.drags}`);
  }

  up() {
    const dragged = this.view.held;
    this.drag = null;
    this.view.held = false;
    if (dragged) this.labels.onChange();
  }
}
