// What JupyterHub's own scripts expect of every page, from the data attributes of the root element.
"use strict";

(() => {
  const data = document.documentElement.dataset;
  window.require.config({
    baseUrl: data.jsUrl,
    urlArgs: data.version ? `v=${data.version}` : "",
    paths: {
      components: "../components",
      jquery: "../components/jquery/dist/jquery.min",
      moment: "../components/moment/moment",
    },
  });
  window.jhdata = {
    base_url: data.baseUrl,
    prefix: data.prefix,
    user: data.user,
    admin_access: data.adminAccess === "true",
    options_form: data.optionsForm === "true",
    xsrf_token: data.xsrfToken,
  };

  // A form that is being sent says so and cannot be sent twice.
  document.addEventListener("submit", (event) => {
    const busy = event.target.dataset.busy;
    const button = event.target.querySelector("button[type=submit]");
    if (!busy || !button || event.defaultPrevented) return;
    button.dataset.label = button.textContent;
    button.textContent = busy;
    button.disabled = true;
  });
  // The browser's "back" shows the page as it was left.
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[data-label]")) {
      button.textContent = button.dataset.label;
      button.disabled = false;
    }
  });
})();
