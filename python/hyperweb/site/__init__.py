"""What a site is: its pages, their URLs, their templates."""

from hyperweb.site._errors import SiteError

__all__ = ["SiteError"]
