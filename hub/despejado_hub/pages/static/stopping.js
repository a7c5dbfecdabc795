"use strict";

(() => {
  const again = document.getElementById("refresh");
  const { search, hash } = window.location;
  // Whoever asked for another lab (opt-size=large) gets it as soon as this one is gone: the hub
  // sends those who come too early back here.
  const wants = [...new URLSearchParams(search).keys()].some((name) => name.startsWith("opt-"));
  if (wants) again.href = again.dataset.start + search + hash;
  window.setTimeout(
    () => (wants ? window.location.replace(again.href) : window.location.reload()),
    2000,
  );
})();
