"use strict";

window.setTimeout(() => window.location.reload(), 2000);
