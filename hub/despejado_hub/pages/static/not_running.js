"use strict";

(() => {
  const start = document.getElementById("start");
  // Whoever waited for a start with options (opt-size=large) means them still.
  const wanted = new URL(start.href);
  for (const [name, value] of new URLSearchParams(window.location.search))
    if (name.startsWith("opt-")) wanted.searchParams.append(name, value);
  start.href = wanted.href;
  // What stands behind the # is for the lab, and gets lost otherwise.
  if (window.location.hash) start.href += window.location.hash;
  const seconds = Number(start.dataset.implicitSeconds || 0);
  if (seconds > 0) window.setTimeout(() => window.location.assign(start.href), 1000 * seconds);
})();
