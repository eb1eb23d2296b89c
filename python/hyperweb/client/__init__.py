"""What runs in the browser: TypeScript, compiled by hyperweb itself when a site is built or served."""
