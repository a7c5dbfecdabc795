// The page of a lab that starts: phases, a bar, how long it usually takes, and a way to stop it.
"use strict";

(() => {
  const page = document.getElementById("spawn-progress");
  const { progressUrl, owner, serverName } = page.dataset;
  const find = (id) => document.getElementById(id);
  // The spawn form's token comes along in the address: it is nothing to keep in a bookmark.
  const address = new URL(window.location.href);
  address.searchParams.delete("_xsrf");
  window.history.replaceState({}, "", address);
  const bar = find("progress-bar");
  const message = find("progress-message");
  const time = find("progress-time");
  const log = find("progress-log");
  const phases = [...page.querySelectorAll("[data-phase]")];
  const begun = Date.now();
  let expected = null;
  let phaseBegun = begun;
  let phase = null;
  let ended = false;

  function seconds(amount) {
    return amount < 90 ? `${Math.max(1, Math.round(amount))} s` : `${Math.round(amount / 60)} min`;
  }

  function tick() {
    if (ended) return;
    const usual = expected === null ? "" : `This step usually takes about ${seconds(expected)}. `;
    const passed = (Date.now() - (expected === null ? begun : phaseBegun)) / 1000;
    time.textContent = `${usual}${seconds(passed)} so far.`;
    window.setTimeout(tick, 1000);
  }

  function showPhase(name) {
    const now = phases.findIndex((item) => item.dataset.phase === name);
    if (now < 0) return;
    if (name !== phase) {
      phase = name;
      phaseBegun = Date.now();
      expected = null;
    }
    phases.forEach((item, index) => {
      item.classList.toggle("done", index < now);
      item.classList.toggle("now", index === now);
      if (index === now) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  function showProgress(percent) {
    bar.setAttribute("aria-valuenow", String(percent));
    bar.firstElementChild.style.width = `${percent}%`;
  }

  function writeDetails(line, details) {
    let list = line.querySelector("ul");
    if (!list) {
      list = document.createElement("ul");
      list.className = "despejado-help";
      line.append(list);
    }
    for (const detail of details) {
      const item = document.createElement("li");
      item.textContent = detail;
      list.append(item);
    }
  }

  function write(event) {
    const last = log.lastElementChild;
    if (event.details && last && last.dataset.message === event.message) {
      // More of what the system said about the same step.
      writeDetails(last, event.details);
      return event.message;
    }
    const line = document.createElement("li");
    const stamp = document.createElement("time");
    stamp.textContent = new Date().toLocaleTimeString();
    line.append(stamp, " ");
    const text = document.createElement("span");
    if (event.html_message) text.innerHTML = event.html_message;
    else text.textContent = event.message || "";
    line.append(text);
    line.dataset.message = event.message || "";
    if (event.details) writeDetails(line, event.details);
    log.append(line);
    return text.textContent;
  }

  function fail() {
    ended = true;
    page.classList.add("failed");
    find("progress-title").textContent = "Your lab could not be started";
    find("progress-note").hidden = true;
    time.textContent = "";
    find("stop-server-btn").hidden = true;
    find("retry").hidden = false;
    find("progress-details").open = true;
    find("retry").focus();
  }

  const source = new EventSource(progressUrl);
  source.onmessage = (incoming) => {
    const event = JSON.parse(incoming.data);
    if (event.phase) showPhase(event.phase);
    if (typeof event.expected_seconds === "number") expected = event.expected_seconds;
    if (typeof event.progress === "number") showProgress(event.progress);
    if (event.message || event.html_message) {
      const text = write(event);
      if (message.textContent !== text) message.textContent = text;
    }
    if (event.ready) {
      ended = true;
      source.close();
      showPhase("ready");
      window.location.reload();
    }
    if (event.failed) {
      source.close();
      fail();
    }
  };

  find("stop-server-btn").addEventListener("click", async (click) => {
    const button = click.currentTarget;
    const status = find("stop-server-status");
    button.disabled = true;
    status.textContent = "Stopping …";
    const { base_url: base, xsrf_token: xsrf } = window.jhdata;
    const what = serverName ? `servers/${encodeURIComponent(serverName)}` : "server";
    const url = `${base}api/users/${encodeURIComponent(owner)}/${what}?_xsrf=${encodeURIComponent(xsrf)}`;
    try {
      const answer = await fetch(url, { method: "DELETE" });
      if (answer.ok) {
        source.close();
        window.location.assign(`${base}home`);
        return;
      }
      const body = await answer.json().catch(() => ({}));
      status.textContent = `It could not be stopped: ${body.message || answer.statusText}`;
    } catch {
      status.textContent = "It could not be stopped: the hub does not answer. Try again.";
    }
    button.disabled = false;
  });

  find("copy-log").addEventListener("click", async (click) => {
    const text = [...log.children].map((line) => line.textContent).join("\n");
    await navigator.clipboard.writeText(text);
    click.target.textContent = "Copied";
  });

  tick();
})();
