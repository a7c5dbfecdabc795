// The home page when one comes from a lab that was told to stop: follow it until it has.
"use strict";

(() => {
  const PAUSE = 700;
  const ATTEMPTS = 30;
  const panel = document.querySelector("[data-lab-state]");
  if (!panel || panel.dataset.labState === "off") return;
  const fromLab = document.referrer.startsWith(window.location.origin) && document.referrer.includes("/user/");
  if (!fromLab && panel.dataset.labState !== "stopping") return;

  async function look(left) {
    try {
      const answer = await fetch(window.location.href, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-lab-state]");
      if (answer.ok && fresh && fresh.dataset.labState !== panel.dataset.labState) {
        window.location.reload();
        return;
      }
    } catch {
      // The hub may be restarting: look again.
    }
    if (left > 0) window.setTimeout(look, PAUSE, left - 1);
  }

  window.setTimeout(look, PAUSE, ATTEMPTS);
})();
