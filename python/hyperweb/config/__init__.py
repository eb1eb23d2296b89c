"""Settings of a site: one definition each, read from the command line, the environment, site.toml and defaults."""

from hyperweb.config._errors import ConfigError
from hyperweb.config._hash import settings_hash
from hyperweb.config._load import load_site
from hyperweb.config._settings import DURATION, Settings
from hyperweb.config._site import SiteConfig

__all__ = ["DURATION", "ConfigError", "Settings", "SiteConfig", "load_site", "settings_hash"]
