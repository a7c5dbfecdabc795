// Load one of JupyterHub's own page scripts: <script src="module.js" data-module="home">.
"use strict";

window.require([document.currentScript.dataset.module]);
