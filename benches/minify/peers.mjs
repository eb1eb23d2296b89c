// The peers written for Node: reads {"modules", "out", "kinds": {kind: [path]}}, and writes OUT/NUMBER.PEER for each file.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const task = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${task.modules}/x.js`);
const esbuild = require("esbuild");
const oxc = require("oxc-minify");
const lightningcss = require("lightningcss");
const svgo = require("svgo");
const html = await import(require.resolve("html-minifier-next"));

const isModule = (text) => /^(?:import|export)\b/m.test(text);
const peers = {
  js: {
    esbuild: (text) => esbuild.transformSync(text, { minify: true, format: isModule(text) ? "esm" : undefined, legalComments: "none" }).code,
    oxc: (text, path) =>
      oxc.minifySync(path, text, {
        module: isModule(text),
        mangle: { toplevel: isModule(text) },
        codegen: { legalComments: "none" },
      }).code,
  },
  css: {
    esbuild: (text) => esbuild.transformSync(text, { minify: true, loader: "css", legalComments: "none" }).code,
    lightningcss: (text, path) => lightningcss.transform({ filename: path, code: Buffer.from(text), minify: true }).code,
  },
  svg: {
    svgo: (text, path) => svgo.optimize(text, { path, multipass: true }).data,
  },
  html: {
    // What html-minifier-next takes out that stylesheets may ask for (`type=text`, `dir=ltr`) stays; all else goes.
    "html-minifier-next": (text) =>
      (html.minify ?? html.default.minify)(text, {
        collapseWhitespace: true,
        removeComments: true,
        removeOptionalTags: true,
        removeAttributeQuotes: true,
        removeScriptTypeAttributes: true,
        removeStyleLinkTypeAttributes: true,
        collapseBooleanAttributes: true,
        decodeEntities: true,
        minifyCSS: true,
        minifyJS: true,
        sortAttributes: true,
        useShortDoctype: true,
      }),
  },
};

for (const [kind, files] of Object.entries(task.kinds)) {
  for (const [name, minify] of Object.entries(peers[kind] ?? {})) {
    for (const [number, path] of files.entries()) {
      try {
        writeFileSync(`${task.out}/${kind}.${number}.${name}`, await minify(readFileSync(path, "utf8"), path));
      } catch {
        // It refuses the file: there is no output.
      }
    }
  }
}
