/* The page: connects labels, image, lists, keys and the browser's storage. */

const $ = (id) => document.getElementById(id);
const NUDGES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM_STEP = 1.25;

class Page {
  constructor(settings) {
    this.labels = new Labelling(settings, () => this.changed());
    this.keeping = new Keeping(settings.storage, (text) => this.takeOver(text));
    this.saved = true; // nothing has changed since the last download
    this.restore();
    const bones = settings.coco.categories[0].skeleton.map((bone) => bone.map((joint) => joint - 1));
    this.view = new ImageView($("image"), $("loupe"), this.labels, bones);
    this.pointing = new Pointing(this.view, this.labels, (joint) => this.select(joint));
    this.joints = new JointList($("joints"), this.labels, (joint) => this.select(joint));
    this.strip = new FrameStrip($("frames"), this.labels, (frame) => this.open(frame));
    this.listen();
    this.open(this.labels.frame);
  }

  restore() {
    const text = this.keeping.read();
    if (text === null) return this.tell();
    try {
      this.labels.restore(text);
      this.tell("Restored from this browser");
    } catch (error) {
      this.tell();
      this.note(`Kept labels cannot be read: ${error.message}`);
    }
  }

  /* Another tab has changed the labels of the same page. */
  takeOver(text) {
    this.labels.restore(text);
    this.tell("Changed in another tab");
    this.open(this.labels.frame);
  }

  /* What is kept, and where. */
  tell(what = "Nothing changed yet") {
    $("kept").classList.toggle("bad", !this.keeping.works);
    $("kept").textContent = this.keeping.works
      ? `${what}. Every change is kept in this browser: closing the tab loses nothing.`
      : "This browser keeps nothing for this page: download your labels before you close it.";
  }

  note(text) {
    $("note").textContent = text;
    $("note").hidden = !text;
  }

  keep() {
    this.keeping.write(this.labels.kept());
    this.tell(`Saved at ${new Date().toLocaleTimeString()}`);
  }

  /* After an edit, which undo may have made in another frame. */
  changed() {
    this.saved = false;
    if (!this.view.held) this.keep();
    if (this.labels.frame !== this.opened) this.open(this.labels.frame);
    else this.draw();
  }

  async open(frame) {
    const { labels, view } = this;
    this.opened = labels.frame = frame;
    view.frameUp();
    const empty = labels.points.every((point) => point[2] === ABSENT);
    if (empty) labels.joint = 0;
    this.note("");
    this.draw();
    const bitmap = await bitmapOf(frame);
    if (this.opened === frame) view.show(frame, bitmap);
  }

  /* Of a person who was not detected all joints are clicked, one after the other. */
  guide() {
    const { names, points, point, joint } = this.labels;
    const many = points.filter((one) => one[2] === ABSENT).length > points.length / 2;
    const guided = many && point[2] === ABSENT;
    if (guided) this.note(`Click the ${names[joint].replaceAll("_", " ")}. S: next joint. Enter: frame is done`);
    else if (this.guided) this.note("");
    this.guided = guided;
  }

  step(count) {
    const to = this.labels.frame + count;
    if (to < 0 || to >= this.labels.frames.length) return;
    this.open(to);
    this.keeping.write(this.labels.kept());
  }

  select(joint) {
    this.labels.joint = (joint + this.labels.names.length) % this.labels.names.length;
    this.view.reveal();
    this.draw();
  }

  nudge(direction, far) {
    const { labels, view } = this;
    const { clientWidth, clientHeight } = $("image");
    const [x, y] = labels.point[0] === null ? view.inImage(clientWidth / 2, clientHeight / 2) : labels.point;
    labels.place(x + far * direction[0], y + far * direction[1], `nudge ${labels.joint}`);
    view.reveal();
  }

  finish() {
    const { labels } = this;
    const done = !labels.frames[labels.frame].done;
    labels.setDone(done);
    const next = labels.nextOpen();
    if (done && next !== undefined) this.open(next);
    if (next === undefined) this.note("All frames are done: download the labels");
  }

  download() {
    const { labels } = this;
    if (!labels.done) return this.note("No frame is done yet: press Enter in a frame whose joints are right");
    save("labels.json", JSON.stringify(labels.document(), null, 1));
    this.saved = true;
    this.note(`Saved labels.json with ${labels.done} of ${labels.frames.length} frames`);
  }

  /* Go on with a file that was saved before, here or in another browser. */
  async load(file) {
    try {
      const count = this.labels.load(JSON.parse(await file.text()));
      this.note(count ? `Read ${count} labelled frame${count > 1 ? "s" : ""}` : `${file.name} has no labels of these frames`);
    } catch (error) {
      this.note(`Cannot read ${file.name}: ${error.message}`);
    }
  }

  frameUp(whole) {
    this.view.whole = whole;
    this.view.frameUp();
    this.draw();
  }

  draw() {
    const { labels, view } = this;
    const { done } = labels.frames[labels.frame];
    const [x, y, state] = labels.point;
    const press = (id, on) => $(id).setAttribute("aria-pressed", on);
    const place = x === null || state === ABSENT ? "" : ` ${x.toFixed(1)}, ${y.toFixed(1)}`;
    $("spoken").textContent = `${labels.names[labels.joint].replaceAll("_", " ")}:${place} ${STATES[state]}`;
    $("where").textContent = `Frame ${labels.frame + 1} of ${labels.frames.length}: ${labels.images[labels.frame].file_name}`;
    $("progress").textContent = `${labels.done} of ${labels.frames.length} done`;
    [$("bar").value, $("bar").max] = [labels.done, labels.frames.length];
    $("done-text").textContent = done ? "Done \u2713" : "Done, next";
    [$("undo").disabled, $("redo").disabled] = [!labels.past.length, !labels.future.length];
    press("done", done);
    press("occluded", state === OCCLUDED);
    press("absent", state === ABSENT);
    press("person", !view.whole);
    press("whole", view.whole);
    press("shown", view.shown);
    this.guide();
    this.joints.draw();
    this.strip.draw();
    view.draw();
  }

  listen() {
    const { labels, view } = this;
    this.acts = {
      done: () => this.finish(), back: () => this.step(-1), on: () => this.step(1),
      occluded: () => labels.toggle(OCCLUDED), absent: () => labels.toggle(ABSENT),
      mirror: () => labels.swapSides(), pair: () => labels.swapPair(), reset: () => labels.reset(),
      undo: () => labels.undo(), redo: () => labels.redo(), download: () => this.download(), load: () => $("file").click(),
      person: () => this.frameUp(false), whole: () => this.frameUp(true), help: () => $("keys").showModal(),
      shown: () => ((view.shown = !view.shown), this.draw()), theme: () => this.changeTheme(),
      joint_back: () => this.select(labels.joint - 1), joint_on: () => this.select(labels.joint + 1),
      closer: () => view.zoomAtJoint(ZOOM_STEP), farther: () => view.zoomAtJoint(1 / ZOOM_STEP),
    };
    for (const [id, act] of Object.entries(this.acts)) $(id)?.addEventListener("click", act);
    $("file").addEventListener("change", async ({ target }) => {
      if (target.files.length) await this.load(target.files[0]);
      target.value = ""; // the same file can be chosen again
    });
    // A button that was clicked must not take the Space and Enter that follow.
    document.addEventListener("click", (event) => event.detail && document.activeElement?.tagName === "BUTTON" && document.activeElement.blur());
    document.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("keyup", (event) => event.key === " " && this.pointing.setSpace(false));
    window.addEventListener("blur", () => this.pointing.setSpace(false));
    window.addEventListener("beforeunload", (event) => !this.saved && !this.keeping.works && event.preventDefault());
    new ResizeObserver(() => view.resize()).observe($("image"));
  }

  changeTheme() {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
  }

  press(event) {
    const onButton = event.target.tagName === "BUTTON";
    if ($("keys").open || event.altKey || (onButton && [" ", "Enter"].includes(event.key))) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = event.ctrlKey || event.metaKey ? this.command(key, event.shiftKey) : this.keyAct(key, event.shiftKey);
    if (!act) return;
    event.preventDefault();
    act();
  }

  command(key, shift) {
    return this.acts[{ z: shift ? "redo" : "undo", y: "redo", s: "download", o: "load" }[key]];
  }

  keyAct(key, shift) {
    if (key in NUDGES) return () => this.nudge(NUDGES[key], shift ? 10 : 1);
    if (key === " ") return () => this.pointing.setSpace(true);
    const name = {
      Enter: "done", a: "back", PageUp: "back", d: "on", PageDown: "on", w: "joint_back", s: "joint_on",
      o: "occluded", x: "absent", Delete: "absent", m: "mirror", p: "pair", g: "reset",
      "+": "closer", "=": "closer", "-": "farther", f: "person", 0: "whole", h: "shown", t: "theme", "?": "help",
    }[key];
    return this.acts[name];
  }
}

const light = window.matchMedia("(prefers-color-scheme: light)");
document.documentElement.dataset.theme = light.matches ? "light" : "dark";
window.mocap = new Page(JSON.parse($("settings").textContent));
