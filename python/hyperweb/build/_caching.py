"""How long clients and shared caches may keep what a build makes."""

# A page is asked for anew each time, which costs a 304 when it is the same.
PAGE_CACHING = "public, max-age=0, must-revalidate"
# An asset's URL carries the hash of what it is made of; it never changes (RFC 8246).
ASSET_CACHING = "public, max-age=31536000, immutable"
