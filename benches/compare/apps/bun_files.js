// Bun's static routes: bun_files.js HOST PORT FOLDER FILE... One thread; several share the port.
const [host, port, folder, ...names] = process.argv.slice(2);

const routes = {};
for (const name of names) {
  const content = await Bun.file(`${folder}/${name}`).bytes();
  routes[`/${name}`] = new Response(content, { headers: { "content-type": "text/plain; charset=utf-8" } });
}

Bun.serve({
  hostname: host,
  port: Number(port),
  reusePort: true,
  routes,
  fetch: () => new Response("not found", { status: 404 }),
});
