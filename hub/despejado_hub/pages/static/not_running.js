"use strict";

(() => {
  const start = document.getElementById("start");
  // What stands behind the # is for the lab, and gets lost otherwise.
  if (window.location.hash) start.href += window.location.hash;
  const seconds = Number(start.dataset.implicitSeconds || 0);
  if (seconds > 0) window.setTimeout(() => window.location.assign(start.href), 1000 * seconds);
})();
