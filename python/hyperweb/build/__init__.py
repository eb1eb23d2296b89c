"""Builds a site: plain files any host can serve, and one pack the edge answers from."""
