// Keep the states of the images on the spawn page up to date while environments are being built.
"use strict";

(() => {
  const PAUSE_BUILDING = 2000;
  const PAUSE_QUIET = 15000;
  const list = document.querySelector("[data-menu-url]");
  const url = list && list.dataset.menuUrl;
  if (!url) return;
  const news = document.getElementById("menu-news");
  // What the person has chosen stays; what was only proposed follows the fresh proposal.
  let touched = false;
  list.addEventListener("change", () => {
    touched = true;
  });

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

  // Images may come, go or change from "built on first use" to "ready": the page itself knows how they are drawn.
  function changed(images) {
    const drawn = [...list.querySelectorAll("[data-image]")];
    return (
      drawn.length !== images.length ||
      images.some((image) => {
        const choice = drawn.find((one) => one.dataset.image === image.tag);
        return !choice || (image.state === "ready") !== (choice.dataset.drawn === "ready");
      })
    );
  }

  function remember() {
    for (const choice of list.querySelectorAll("[data-image]")) choice.dataset.drawn = choice.dataset.state;
  }

  async function redraw() {
    const answer = await fetch(window.location.href, { redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-menu-url]");
    if (!fresh) return;
    const before = new Set([...list.querySelectorAll("[data-image]")].map((one) => one.dataset.image));
    const chosen = touched ? list.querySelector("input:checked")?.value : null;
    const focused = list.contains(document.activeElement) ? document.activeElement.value : null;
    list.replaceChildren(...fresh.childNodes);
    const find = (value) => list.querySelector(`input[value="${CSS.escape(value)}"]`);
    if (chosen && find(chosen)) find(chosen).checked = true;
    if (focused) find(focused)?.focus();
    remember();
    const added = [...list.querySelectorAll("[data-image]")].filter((one) => !before.has(one.dataset.image));
    if (added.length) news.textContent = `${added.length} more software environments can be chosen.`;
  }

  async function refresh() {
    let pause = PAUSE_QUIET;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, redirect: "error" });
      if (answer.ok) {
        const { images } = await answer.json();
        if (changed(images)) await redraw();
        for (const image of images) {
          const choice = list.querySelector(`[data-image="${CSS.escape(image.tag)}"]`);
          if (choice) show(choice, image);
          if (image.state === "building") pause = PAUSE_BUILDING;
        }
        // Right after the first start the list of weeklies is still on its way.
        if (images.length < 2) pause = PAUSE_BUILDING;
      }
    } catch {
      // The hub may be restarting; the form as it stands goes on working.
    }
    window.setTimeout(refresh, document.hidden ? PAUSE_QUIET : pause);
  }

  remember();
  refresh();
})();
