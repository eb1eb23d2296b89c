"""Plugins of a build: a class with a method for each stage that it wants to take part in.

from hyperweb.plugins import Document, Plugin
"""

from hyperweb.plugins._plugin import Document, Plugin

__all__ = ["Document", "Plugin"]
