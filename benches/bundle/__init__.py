"""How large bundles become, and how fast, beside esbuild and Bun."""
