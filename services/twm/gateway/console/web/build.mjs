// Builds ../static from src/ and from the locked npm packages; `--check`: only tells whether ../static is what would be built.
// Libraries are copied as they come, with licences and digests in vendor.json; own code becomes app.js.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const VENDORED = [
  ["leaflet", "dist/leaflet.js", "leaflet.js"],
  ["leaflet", "dist/leaflet.css", "leaflet.css"],
  ["leaflet", "LICENSE", "leaflet.LICENSE.txt"],
  ["uplot", "dist/uPlot.iife.min.js", "uplot.js"],
  ["uplot", "dist/uPlot.min.css", "uplot.css"],
  ["uplot", "LICENSE", "uplot.LICENSE.txt"],
];
const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));

const files = new Map();
const vendor = {};
for (const [name, from, to] of VENDORED) {
  let body = readFileSync(join(here, "node_modules", name, from));
  if (to.endsWith(".js")) body = Buffer.from(body.toString("utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"));
  files.set(to, body);
  const locked = lock.packages[`node_modules/${name}`];
  vendor[name] ??= { version: locked.version, license: locked.license, source: `npm:${name}@${locked.version}`, integrity: locked.integrity, files: {} };
  vendor[name].files[to] = { from, sha256: createHash("sha256").update(body).digest("hex") };
}
files.set("vendor.json", Buffer.from(JSON.stringify(vendor, null, 2) + "\n"));
const built = await build({
  entryPoints: [join(here, "src", "main.ts"), join(here, "src", "theme.ts")],
  bundle: true, minify: true, format: "iife", target: "es2022", charset: "ascii", legalComments: "none", write: false, outdir: out,
});
for (const file of built.outputFiles) files.set(file.path.endsWith("theme.js") ? "theme.js" : "app.js", Buffer.from(file.contents));
const style = await build({ entryPoints: [join(here, "src", "style.css")], bundle: true, minify: true, write: false });
files.set("style.css", Buffer.from(style.outputFiles[0].contents));
files.set("icon.svg", readFileSync(join(here, "src", "icon.svg")));
files.set("index.html", readFileSync(join(here, "src", "index.html")));

let differing = 0;
for (const [name, body] of files) {
  const path = join(out, name);
  if (process.argv.includes("--check")) {
    let now = null;
    try { now = readFileSync(path); } catch { /* told below */ }
    if (now === null || !now.equals(body)) { console.error(`differs: ${name}`); differing += 1; }
  } else writeFileSync(path, body);
}
const script = [...files].filter(([n]) => n.endsWith(".js")).reduce((sum, [, b]) => sum + b.length, 0);
console.log(`${files.size} files, ${script} bytes of script`);
process.exit(differing ? 1 : 0);
