// @ts-check
// Progress of one query: phase, elapsed time, rows, and a button that aborts the job.

/** @type {Record<string, string>} */
const WORDS = {
  PENDING: "Waiting to start",
  QUEUED: "Queued",
  EXECUTING: "Running",
  COMPLETED: "Completed",
  ERROR: "Failed",
  ABORTED: "Aborted",
};

const FINAL = ["COMPLETED", "ERROR", "ABORTED", "ARCHIVED"];

/** @param {number} seconds */
const clock = (seconds) =>
  seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;

/** @param {string} tag @param {string} name @param {HTMLElement} parent */
const add = (tag, name, parent) => {
  const node = document.createElement(tag);
  node.className = name;
  parent.append(node);
  return node;
};

/**
 * What the kernel says of the query (the traits of QueryProgress).
 * @typedef {{phase: string, started: number, seconds: number | null, rows: number | null,
 *   note: string, aborting: boolean}} State
 * @typedef {{get: <K extends keyof State>(name: K) => State[K], send: (content: object) => void,
 *   on: (event: string, call: () => void) => void, off: (event: string, call: () => void) => void}} Model
 */

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const root = add("div", "despejado-query", el);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "ADQL query");
  const phase = add("strong", "despejado-query-phase", root);
  phase.setAttribute("role", "status");
  const elapsed = add("span", "despejado-query-elapsed", root);
  const rows = add("span", "despejado-query-rows", root);
  const abort = /** @type {HTMLButtonElement} */ (add("button", "despejado-query-abort", root));
  abort.type = "button";
  abort.textContent = "Abort";
  const note = add("div", "despejado-query-note", root);
  note.setAttribute("role", "status");

  const tick = () => {
    const seconds = model.get("seconds") ?? Date.now() / 1000 - model.get("started");
    elapsed.textContent = clock(Math.max(0, seconds));
  };
  const draw = () => {
    const name = model.get("phase");
    const count = model.get("rows");
    phase.textContent = WORDS[name] ?? name;
    root.dataset.phase = name;
    rows.textContent = count === null ? "" : `${count.toLocaleString()} rows`;
    note.textContent = model.get("note");
    abort.hidden = FINAL.includes(name);
    if (model.get("note") !== "" && abort.disabled) {
      abort.disabled = false; // the abort may not have reached the job: let it be tried again
      abort.textContent = "Abort";
    }
    tick();
  };
  const press = () => {
    abort.disabled = true;
    abort.textContent = "Aborting…";
    model.send({ type: "abort" });
    setTimeout(() => {
      if (model.get("aborting") || FINAL.includes(model.get("phase"))) return;
      note.textContent = "This kernel does not hear the button while a cell runs. Interrupt it instead (■): that aborts the query too.";
    }, 3000);
  };
  abort.addEventListener("click", press);
  model.on("change", draw);
  const timer = setInterval(() => {
    if (!FINAL.includes(model.get("phase"))) tick();
  }, 500);
  draw();
  return () => {
    clearInterval(timer);
    model.off("change", draw);
    abort.removeEventListener("click", press);
  };
}

export default { render };
