/* The list of joints and the strip of frames. */

const STATES = ["not labelled", "occluded", "visible"];
const THUMBNAIL = 108; // pixels, twice as high as shown

class JointList {
  constructor(list, labels, onSelect) {
    this.labels = labels;
    this.buttons = labels.names.map((name, joint) => {
      const button = list.appendChild(document.createElement("li")).appendChild(document.createElement("button"));
      button.className = sideOf(name);
      button.textContent = name.replace(/^(left|right)_/, "");
      button.addEventListener("click", () => onSelect(joint));
      return button;
    });
  }

  draw() {
    const { labels } = this;
    this.buttons.forEach((button, joint) => {
      const state = labels.points[joint][2];
      button.dataset.state = state;
      button.setAttribute("aria-label", `${labels.names[joint].replaceAll("_", " ")}, ${STATES[state]}`);
      if (joint === labels.joint) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }
}

class FrameStrip {
  constructor(list, labels, onSelect) {
    this.labels = labels;
    this.buttons = labels.images.map((image, frame) => {
      const button = list.appendChild(document.createElement("li")).appendChild(document.createElement("button"));
      const canvas = button.appendChild(document.createElement("canvas"));
      [canvas.width, canvas.height] = [Math.round((THUMBNAIL * image.width) / image.height), THUMBNAIL];
      button.appendChild(document.createElement("span")).textContent = frame + 1;
      button.title = image.file_name;
      button.addEventListener("click", () => onSelect(frame));
      return button;
    });
    this.paint();
  }

  async paint() {
    for (const [frame, button] of this.buttons.entries()) {
      const canvas = button.firstChild;
      const bitmap = await bitmapOf(frame, { resizeWidth: canvas.width, resizeQuality: "medium" });
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      bitmap.close();
    }
  }

  draw() {
    const { labels } = this;
    this.buttons.forEach((button, frame) => {
      const { done } = labels.frames[frame];
      const current = frame === labels.frame;
      button.classList.toggle("done", done);
      button.setAttribute("aria-label", `Frame ${frame + 1}, ${done ? "done" : "to do"}`);
      if (current && !button.hasAttribute("aria-current")) button.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }
}

function bitmapOf(frame, options = {}) {
  return createImageBitmap(new Blob([carriedBytes(`frame-${frame}`)], { type: "image/jpeg" }), options);
}
