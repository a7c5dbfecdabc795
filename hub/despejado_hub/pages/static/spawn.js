// Keep the states of the images on the spawn page up to date while environments are being built.
"use strict";

(() => {
  const PAUSE_BUILDING = 2000;
  const PAUSE_QUIET = 15000;
  const list = document.querySelector("[data-menu-url]");
  const url = list && list.dataset.menuUrl;
  if (!url) return;
  const news = document.getElementById("menu-news");

  function show(choice, image) {
    const before = choice.dataset.state;
    const note = choice.querySelector("[data-note]");
    if (note && note.textContent !== image.note) note.textContent = image.note;
    let bar = choice.querySelector("progress");
    if (image.state === "building") {
      if (!bar) {
        bar = document.createElement("progress");
        bar.className = "despejado-progress";
        bar.max = 100;
        bar.setAttribute("aria-label", `Building ${image.title}`);
        choice.append(bar);
      }
      if (image.fraction === null) bar.removeAttribute("value");
      else bar.value = Math.round(image.fraction * 100);
    } else if (bar) {
      bar.remove();
    }
    if (before !== image.state) {
      choice.dataset.state = image.state;
      // Only ends are told aloud: each percent would drown everything else.
      if (image.state === "ready") news.textContent = `${image.title} is ready.`;
      if (image.state === "failed") news.textContent = `${image.title} could not be built.`;
    }
  }

  async function refresh() {
    let pause = PAUSE_QUIET;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, redirect: "error" });
      if (answer.ok) {
        const { images } = await answer.json();
        for (const image of images) {
          const choice = list.querySelector(`[data-image="${CSS.escape(image.tag)}"]`);
          if (choice) show(choice, image);
          if (image.state === "building") pause = PAUSE_BUILDING;
        }
      }
    } catch {
      // The hub may be restarting; the form as it stands goes on working.
    }
    window.setTimeout(refresh, document.hidden ? PAUSE_QUIET : pause);
  }

  refresh();
})();
