/* The clock: the current frame; driven by the video where there is one. */

class Clock {
  constructor(times, onFrame, onState) {
    this.times = times;
    this.onFrame = onFrame;
    this.onState = onState;
    this.frame = 0;
    this.playing = false;
    this.rate = 1;
    this.loop = true;
    this.video = null;
    this.beat = times.length > 1 ? (times[times.length - 1] - times[0]) / (times.length - 1) : 1 / 30;
  }

  get last() {
    return this.times.length - 1;
  }

  /* Let a video drive the clock; `zero` is the motion's time when the video's is 0. */
  lead(video, zero) {
    this.video = video;
    this.zero = zero;
    this.wanted = null;
    video.addEventListener("seeked", () => this.seekWanted());
    video.addEventListener("ended", () => this.reachEnd());
    video.addEventListener("pause", () => this.playing && !video.ended && this.pause());
    if (video.requestVideoFrameCallback) this.watch();
    else this.poll();
    this.show(this.frame);
  }

  /* Follow every frame that the video shows. */
  watch() {
    this.video?.requestVideoFrameCallback((now, shown) => {
      this.presented(shown.mediaTime);
      this.watch();
    });
  }

  /* The same in browsers that report only the time, with an error of half a frame at most. */
  poll() {
    if (!this.video) return;
    if (!this.video.seeking) this.presented(this.video.currentTime - this.beat / 2);
    requestAnimationFrame(() => this.poll());
  }

  presented(mediaTime) {
    if (!this.playing || this.video.seeking) return;
    const time = mediaTime + this.zero;
    if (time > this.times[this.last] + this.beat / 2) this.reachEnd();
    else this.move(this.nearest(time));
  }

  /* Without the video, or when it cannot be played: run on a timer. */
  leave() {
    this.video = null;
    if (this.playing) this.pause();
  }

  nearest(time) {
    const after = this.after(time);
    if (after === 0) return 0;
    if (after > this.last) return this.last;
    return time - this.times[after - 1] < this.times[after] - time ? after - 1 : after;
  }

  /* The number of frames at or before a time. */
  after(time) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  move(frame) {
    this.frame = frame;
    this.onFrame(frame);
  }

  /* Go to a frame, during playback too. */
  show(frame) {
    const to = Math.max(0, Math.min(this.last, frame));
    this.now = this.times[to];
    this.move(to);
    if (this.video) {
      // The middle of the frame's interval, so that rounding cannot show its neighbour.
      const until = to < this.last ? this.times[to + 1] - this.times[to] : this.beat;
      this.wanted = this.times[to] + Math.min(until, this.beat) / 2 - this.zero;
      if (!this.video.seeking) this.seekWanted();
    }
  }

  seekWanted() {
    if (this.wanted === null || !this.video) return;
    const to = this.wanted;
    this.wanted = null;
    this.video.currentTime = Math.max(0, to);
  }

  step(count) {
    this.pause();
    this.show(this.frame + count);
  }

  setRate(rate) {
    this.rate = rate;
    if (this.video) this.video.playbackRate = rate;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.frame >= this.last) this.show(0);
    this.playing = true;
    this.onState();
    if (this.video) {
      this.video.playbackRate = this.rate;
      this.video.play().catch(() => this.pause());
      return;
    }
    this.now = this.times[this.frame];
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing || this.video) return;
      this.now += ((now - before) / 1000) * this.rate;
      before = now;
      if (this.now > this.times[this.last] + this.beat) this.reachEnd();
      else this.move(Math.max(0, this.after(this.now) - 1));
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    const was = this.playing;
    this.playing = false;
    this.video?.pause();
    if (was) this.show(this.frame); // this frame, in case the video has advanced
    this.onState();
  }

  reachEnd() {
    if (!this.playing) return;
    if (!this.loop) {
      this.frame = this.last;
      this.pause();
      return;
    }
    this.show(0);
    this.video?.play().catch(() => this.pause());
  }
}
