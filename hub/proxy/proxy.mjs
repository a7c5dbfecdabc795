// The proxy of the platform: configurable-http-proxy, set up from one JSON file.
//
// Its own command line takes the token of its API from an environment variable, which every process of the
// same user can read. Here the token comes from a file of mode 0400.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";

import ConfigurableProxy from "configurable-http-proxy/lib/configproxy.js";

import { createLogger } from "./log.mjs";

const KEYS = [
  "hosts",
  "port",
  "api_port",
  "token_file",
  "default_target",
  "error_target",
  "error_path",
  "log_level",
];

/** The configuration in `file`; throws with the file and the key that is wrong. */
function readConfiguration(file) {
  const config = JSON.parse(fs.readFileSync(file, "utf8"));
  for (const key of KEYS) {
    if (!(key in config)) throw new Error(`${file}: "${key}" is missing`);
  }
  for (const key of Object.keys(config)) {
    if (!KEYS.includes(key)) throw new Error(`${file}: unknown key "${key}"`);
  }
  const token = fs.readFileSync(config.token_file, "utf8").trim();
  if (!token) throw new Error(`${config.token_file} is empty`);
  return { ...config, token };
}

/** Listen, or end the process with one line that says what stands in the way. */
function listen(server, port, host, what) {
  server.on("error", (error) => {
    process.stderr.write(`The proxy cannot listen on ${host}:${port} (${what}): ${error.code}\n`);
    process.exit(1);
  });
  server.listen(port, host);
}

/** Hand the connections to another loopback address over to `server`, where there is such an address. */
function listenToo(server, port, host, log) {
  const other = net.createServer((socket) => server.emit("connection", socket));
  other.on("error", (error) => {
    if (error.code === "EADDRINUSE") {
      process.stderr.write(`The proxy cannot listen on [${host}]:${port}: ${error.code}\n`);
      process.exit(1);
    }
    log.info("Not listening on [%s]:%d: %s", host, port, error.code);
  });
  other.listen(port, host);
}

/** The proxy with pages of its own for when the hub cannot answer either. */
class Proxy extends ConfigurableProxy {
  _handleProxyErrorDefault(code, kind, req, res) {
    const file = path.join(this.errorPath, `${code}.html`);
    if (kind !== "web" || res.headersSent || !res.writeHead || !fs.existsSync(file)) {
      super._handleProxyErrorDefault(code, kind, req, res);
      return;
    }
    res.writeHead(code, {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      "Cache-Control": "no-store",
    });
    res.end(fs.readFileSync(file));
  }
}

const config = readConfiguration(process.argv[2]);
const log = createLogger(config.log_level);
const proxy = new Proxy({
  log,
  authToken: config.token,
  defaultTarget: config.default_target,
  errorTarget: config.error_target,
  errorPath: config.error_path,
  includePrefix: true,
  prependPath: true,
  xfwd: true,
});

// A browser that drops a WebSocket while its lab writes to it (EPIPE, ECONNRESET) is everyday life. Where
// nobody listens, http-proxy throws, and one closed laptop would end everybody's connections.
proxy.proxy.on("error", (error) => log.info("A connection broke off: %s", error.code ?? error.message));

// A service that breaks off in the middle of its answer must look so to its client, who waits for ever otherwise.
proxy.proxy.on("proxyRes", (answer, _request, response) => {
  answer.on("aborted", () => response.destroy());
});

const [host, ...others] = config.hosts;
listen(proxy.apiServer, config.api_port, "127.0.0.1", "its API");
listen(proxy.proxyServer, config.port, host, "the public port");
for (const other of others) listenToo(proxy.proxyServer, config.port, other, log);
log.info("Proxying %s, port %d, to %s", config.hosts.join(" and "), config.port, config.default_target);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(0));
}
