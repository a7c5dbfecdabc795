"use strict";

(() => {
  const warning = document.getElementById("insecure-login-warning");
  if (warning) warning.hidden = window.isSecureContext;
  const toggle = document.getElementById("toggle_password_visibility");
  const password = document.getElementById("password_input");
  if (!toggle || !password) return;
  toggle.addEventListener("click", () => {
    const show = password.type === "password";
    password.type = show ? "text" : "password";
    toggle.textContent = show ? "Hide" : "Show";
    toggle.setAttribute("aria-pressed", String(show));
  });
})();
