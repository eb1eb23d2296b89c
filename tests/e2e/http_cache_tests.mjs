// Runs npm's http-cache-tests against a cache, and prints as JSON what became of each test.
//
//     node http_cache_tests.mjs PACKAGE BASE
import { pathToFileURL } from 'node:url'

const [, , root, base] = process.argv
const load = path => import(pathToFileURL(`${root}/${path}`).href)
const { runTests, getResults } = await load('client/runner.mjs')
const { default: fetch } = await load('../node-fetch/lib/index.mjs')
const { default: suites } = await load('tests/index.mjs')
const { default: surrogate } = await load('tests/surrogate-control.mjs')
suites.push(surrogate)
await runTests(suites, fetch, false, base)
const results = getResults()
const told = {}
for (const test of suites.flatMap(suite => suite.tests)) {
  if (!test.browser_only) {
    const result = results[test.id]
    told[test.id] = { kind: test.kind ?? 'required', passed: result === true, why: result === true ? '' : String(result) }
  }
}
console.log(JSON.stringify(told))
