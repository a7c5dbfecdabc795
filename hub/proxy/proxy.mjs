// The proxy of the platform: configurable-http-proxy, set up from one JSON file.
//
// Its own command line takes the token of its API from an environment variable, which every process of the
// same user can read. Here the token comes from a file of mode 0400.

import fs from "node:fs";

import ConfigurableProxy from "configurable-http-proxy/lib/configproxy.js";

import { createLogger } from "./log.mjs";

const KEYS = [
  "host",
  "port",
  "api_port",
  "token_file",
  "default_target",
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

const config = readConfiguration(process.argv[2]);
const log = createLogger(config.log_level);
const proxy = new ConfigurableProxy({
  log,
  authToken: config.token,
  defaultTarget: config.default_target,
  errorPath: config.error_path,
  includePrefix: true,
  prependPath: true,
  xfwd: true,
});

listen(proxy.apiServer, config.api_port, config.host, "its API");
listen(proxy.proxyServer, config.port, config.host, "the public port");
log.info("Proxying http://%s:%d to %s", config.host, config.port, config.default_target);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(0));
}
