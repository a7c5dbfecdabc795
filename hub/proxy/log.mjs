// One line a message on standard error, in the form that JupyterHub's own log has.
// It stands in for winston, which is two thirds of the bundle and starts slower than the proxy.

import { format } from "node:util";

const LEVELS = ["debug", "info", "warn", "error"];

/** A connection that failed is an everyday thing and needs no stack trace. */
function shorten(part) {
  return part instanceof Error && part.code ? part.message : part;
}

/** A logger for messages of `level` and above. */
export function createLogger(level) {
  const least = LEVELS.indexOf(level);
  if (least < 0) {
    throw new Error(`log level ${level} is not one of ${LEVELS.join(", ")}`);
  }
  const log = {};
  LEVELS.forEach((name, rank) => {
    log[name] = (...message) => {
      if (rank < least) return;
      const now = new Date().toISOString().replace("T", " ").slice(0, 23);
      process.stderr.write(`[${name[0].toUpperCase()} ${now} Proxy] ${format(...message.map(shorten))}\n`);
    };
  });
  return log;
}

// The proxy's own logger module, which nothing calls here, makes a format with this while it loads.
export default { format: { printf: (format) => format } };
