// The home page follows a lab that was told to stop, here or in the lab, and one that starts.
"use strict";

(() => {
  const PAUSE = 700;
  const ATTEMPTS = 30;
  const panel = document.querySelector("[data-lab-state]");
  if (!panel || panel.dataset.labState === "off") return;
  let stopAsked = false;

  // A start that is being broken off looks, for a second, like a lab that runs.
  function isNews(state) {
    return stopAsked ? state === "off" : state !== panel.dataset.labState;
  }

  async function look(left) {
    try {
      const answer = await fetch(window.location.href, { redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-lab-state]");
      if (answer.ok && fresh && isNews(fresh.dataset.labState)) {
        window.location.reload();
        return;
      }
    } catch {
      // The hub may be restarting: look again.
    }
    if (left > 0) window.setTimeout(look, PAUSE, left - 1);
  }

  function follow(attempts) {
    window.setTimeout(look, PAUSE, attempts);
  }

  const state = panel.dataset.labState;
  const fromLab = document.referrer.startsWith(window.location.origin) && document.referrer.includes("/user/");
  // An environment may be built first, for minutes.
  if (state === "starting") follow(20 * ATTEMPTS);
  else if (fromLab || state === "stopping") follow(ATTEMPTS);
  const stop = document.getElementById("stop");
  if (stop) {
    stop.addEventListener("click", () => {
      stopAsked = true;
      panel.querySelector("p").textContent = "Stopping …";
      follow(ATTEMPTS);
    });
  }
})();
