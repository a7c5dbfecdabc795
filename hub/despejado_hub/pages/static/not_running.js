"use strict";

(() => {
  const start = document.getElementById("start");
  // A link may say what to start: /hub/spawn/rachel?opt-size=large, which the hub answers with this
  // page while nothing runs.
  const wanted = new URL(start.href);
  for (const [name, value] of new URLSearchParams(window.location.search))
    if (name.startsWith("opt-")) wanted.searchParams.append(name, value);
  start.href = wanted.href;
  // What stands behind the # is for the lab, and gets lost otherwise.
  if (window.location.hash) start.href += window.location.hash;
  const seconds = Number(start.dataset.implicitSeconds || 0);
  if (seconds > 0) window.setTimeout(() => window.location.assign(start.href), 1000 * seconds);
})();
