// What JupyterHub's page for administrators expects before it is loaded.
"use strict";

window.api_page_limit = Number(document.getElementById("react-admin-hook").dataset.pageLimit);
window.base_url = window.jhdata.base_url;
