// A count of redirects in the address must not survive the error that it led to.
"use strict";

(() => {
  const address = new URL(window.location.href);
  if (!address.searchParams.has("redirects")) return;
  address.searchParams.delete("redirects");
  window.history.replaceState({}, "", address);
})();
