"""A cache: in memory for one process, in shared memory, on disk and in Redis for many.

    from hyperweb.cache import Cache, TieredCache, cached

    cache = Cache("64MB")
    cache["answer"] = 42

    @cached(ttl="10m", tags=["prices"])
    async def price(item: str) -> Price: ...

Lengths of time are seconds, or texts like `"10m"`; sizes are bytes, or texts like `"64MB"`.
"""

from hyperweb.cache._cache import Cache
from hyperweb.cache._cached import cached, default_cache
from hyperweb.cache._errors import CacheError, WaitedTooLongError
from hyperweb.cache._pool import BufferPool, PoolStats
from hyperweb.cache._stats import CacheStats, FlightStats, TierStats
from hyperweb.cache._tiered import TieredCache
from hyperweb.cache._uncacheable import Uncacheable

__all__ = [
    "BufferPool",
    "Cache",
    "CacheError",
    "CacheStats",
    "FlightStats",
    "PoolStats",
    "TierStats",
    "TieredCache",
    "Uncacheable",
    "WaitedTooLongError",
    "cached",
    "default_cache",
]
