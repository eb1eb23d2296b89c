"""Serves sites: the supervisor with the edge and its workers, and the development server."""
