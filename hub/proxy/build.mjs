// Bundle the proxy and its dependencies into one file, with the licence texts of what is inside.
//   node build.mjs OUTPUT_FOLDER

import fs from "node:fs";
import path from "node:path";

import { build } from "esbuild";

const out = process.argv[2];
const here = import.meta.dirname;

const result = await build({
  absWorkingDir: here,
  entryPoints: ["proxy.mjs"],
  outfile: path.join(out, "proxy.mjs"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  alias: { winston: "./log.mjs" },
  // The CommonJS packages in the bundle ask for node's own modules with require().
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  metafile: true,
  logLevel: "warning",
});

const packages = new Set();
for (const input of Object.keys(result.metafile.inputs)) {
  const match = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (match) packages.add(match[1]);
}

const texts = [...packages].sort().map((name) => {
  const folder = path.join(here, "node_modules", name);
  const about = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = fs.readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (!file) throw new Error(`${name} ${about.version} carries no licence text`);
  const text = fs.readFileSync(path.join(folder, file), "utf8").trim();
  return `${name} ${about.version} (${about.license})\n\n${text}\n`;
});
fs.writeFileSync(
  path.join(out, "THIRD-PARTY-LICENSES.txt"),
  `The file proxy.mjs contains these packages.\n\n${texts.join(`\n${"-".repeat(78)}\n\n`)}`,
);
