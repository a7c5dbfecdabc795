"use strict";

(() => {
  const refresh = document.getElementById("refresh");
  // Whoever asked for another lab (opt-size=large) gets it as soon as this one is gone: the hub
  // sends those who come too early back here.
  const wanted = [...new URLSearchParams(window.location.search).keys()];
  if (wanted.some((name) => name.startsWith("opt-")))
    refresh.href = refresh.dataset.start + window.location.search;
  window.setTimeout(() => window.location.replace(refresh.href), 2000);
})();
