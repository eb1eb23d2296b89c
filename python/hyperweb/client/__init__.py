"""The browser runtime: TypeScript modules that hyperweb compiles and serves itself."""
