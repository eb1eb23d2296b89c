// Runs programs that check themselves. With a file of esbuild's end-to-end tests as argument: prints a list of those of its
// programs that run here as they are. Without: reads such a list, and prints what each wrote and how it ended.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import vm from "node:vm";

const require = createRequire(import.meta.url);
const PATIENCE = 2000;

/** Returns what a program wrote and how it ended. */
async function run(text) {
  const written = [];
  const note = (...words) => written.push(words.map(String).join(" "));
  const module = { exports: {} };
  const context = vm.createContext({ module, exports: module.exports, require, console: { log: note, error: note, warn: note } });
  try {
    vm.runInContext(`(function () {${text}\n}).call(module.exports)`, context, { filename: "program.js", timeout: PATIENCE });
    if (typeof module.exports?.async === "function") await module.exports.async();
  } catch (error) {
    written.push(`threw ${typeof error === "string" ? error : (error?.name ?? error)}`);
  }
  return written;
}

async function collect(path) {
  const found = [];
  const test = (options, files) => {
    const names = Object.keys(files ?? {});
    if (options.includes("in.js") && typeof files["in.js"] === "string") found.push({ options, names, text: files["in.js"] });
  };
  const text = readFileSync(path, "utf8")
    .replace(/\nmain\(\)\s*$/, "\n")
    .replace(/^(?:async )?function (test\w*)\(/gm, "function unused_$1(")
    .replace(/^const (.*?) = require\('\.\/esbuild\.js'\)$/m, "const $1 = { buildBinary: () => '', dirname: '' }");
  const none = () => undefined;
  const body = vm.compileFunction(text, ["require", "process", "test", "testStdout", "testWatch", "testWatchStdout"]);
  body(require, process, test, none, none, none);
  const seen = new Set();
  const kept = [];
  for (const { names, text } of found) {
    if (seen.has(text) || names.some((name) => name !== "in.js" && name !== "node.js")) continue;
    seen.add(text);
    if (/\b(?:import|export)\b|setTimeout|\.stack\b|require\(['"]\./.test(text)) continue;
    const written = await run(text);
    if (!written.some((line) => line.startsWith("threw"))) kept.push(text);
  }
  return kept;
}

// What a program left behind that fails later is no fault of the next.
process.on("unhandledRejection", () => {});
const [path] = process.argv.slice(2);
const answer = [];
if (path) answer.push(...(await collect(path)));
else for (const text of JSON.parse(readFileSync(0, "utf8"))) answer.push(await run(text));
process.stdout.write(`\n${JSON.stringify(answer)}\n`);
