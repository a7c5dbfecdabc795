// What JupyterHub's page for administrators expects before it is loaded.
"use strict";

(() => {
  window.api_page_limit = Number(document.getElementById("react-admin-hook").dataset.pageLimit);
  window.base_url = window.jhdata.base_url;

  // It brings its styles as elements, which the content security policy refuses (and the console
  // says so). They come with a script of our own address: adopt them as style sheets instead.
  const adopted = new Set();
  function adopt() {
    for (const element of document.head.querySelectorAll("style")) {
      const text = element.textContent;
      if (!text || adopted.has(text)) continue;
      adopted.add(text);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      document.adoptedStyleSheets.push(sheet);
    }
  }
  new MutationObserver(adopt).observe(document.head, { childList: true, subtree: true });
})();
