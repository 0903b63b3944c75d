/* The browser's storage, where labels survive a closed tab. */

class Keeping {
  constructor(name, onOther) {
    this.name = name;
    this.works = true;
    window.addEventListener("storage", (event) => event.key === name && event.newValue && onOther(event.newValue));
  }

  read() {
    try {
      return localStorage.getItem(this.name);
    } catch {
      this.works = false;
      return null;
    }
  }

  write(text) {
    try {
      localStorage.setItem(this.name, text);
      this.works = true;
    } catch {
      this.works = false;
    }
  }
}
