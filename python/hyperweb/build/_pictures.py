"""The variants of pictures that the pages of a build show: read and made on all cores, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.images._encode import folder_of, missing, sweep
from hyperweb.images._images import picture_dependencies
from hyperweb.site import SiteError
from hyperweb.site._record import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from hyperweb.build._graph import Graph
    from hyperweb.config import SiteConfig
    from hyperweb.images import Images, Variant
    from hyperweb.images._worker import Done, Job
    from hyperweb.site._renderer import Renderer

# So few are read faster here than by processes that have to begin first.
_FEW = 4


class Pictures:
    """The pictures of one build.

    Args:
        config: The site.
        images: Its pictures.
        threads: Processes that work on them at most.
        progress: Told how far it is.

    Attributes:
        folder: Where variants are kept.
        times: How long each variant took that was made now, in milliseconds.
    """

    def __init__(
        self, config: SiteConfig, images: Images, *, threads: int, progress: Callable[[str, int, int], None]
    ) -> None:
        self._config = config
        self._images = images
        self._threads = threads
        self._progress = progress
        self.folder: Path = folder_of(config.state)
        self.times: dict[str, float] = {}

    def read(self, paths: Iterable[str]) -> None:
        """Reads what there is to know of pictures, before pages ask for it one by one."""
        from hyperweb.images._worker import Job

        unread = self._images.unread(paths)
        if len(unread) <= _FEW:
            return
        most = self._config.settings.images.max_pixels
        jobs = [Job(str(self._config.root / path), digest, most) for path, digest in unread]
        for (path, _), done in zip(unread, self._work(jobs, "pictures read"), strict=True):
            # One that broke its process is read again where it is shown, and said to be broken there.
            if done.facts is not None:
                self._images.kept[path] = done.facts

    def make(self, wanted: Iterable[Variant]) -> list[SiteError]:
        """Makes the variants that are not kept from builds before. Returns what went wrong, the rest being made."""
        from hyperweb.images._worker import Job

        todo = sorted(missing(wanted, self.folder).items())
        # One picture may have many variants: a job for each format keeps all cores busy with few pictures too.
        parts = [
            (source, [one for one in found if one.format == form])
            for source, found in todo
            for form in sorted({one.format for one in found})
        ]
        jobs = [
            Job(str(self._config.root / source), variants=found, folder=str(self.folder)) for source, found in parts
        ]
        errors = []
        for (source, found), done in zip(parts, self._work(jobs, "pictures made"), strict=True):
            if done.trouble:
                error = SiteError(
                    f"no variants can be made of the picture: {done.trouble}",
                    file=f"{self._config.name}/{source}",
                    hint="save it anew",
                )
                errors.append(error)
            self.times |= {one.url: round(done.milliseconds / len(found), 2) for one in found}
        return errors

    def sweep(self, used: Iterable[Variant]) -> None:
        """Removes variants that no build has used for as long as the settings say."""
        sweep(used, self.folder, self._config.settings.images.keep)

    def _work(self, jobs: list[Job], what: str) -> Iterator[Done]:
        if not jobs:
            return
        from hyperweb.images._pool import Pool

        with Pool(min(self._threads, len(jobs))) as pool:
            for number, done in enumerate(pool.work(jobs), start=1):
                self._progress(what, number, len(jobs))
                yield done


def shown(renderer: Renderer, reads: Mapping[str, Iterable[str] | None], graph: Graph) -> set[str]:
    """Returns the pictures that responses show, as dependencies.

    Args:
        renderer: The site. Pages that are rendered on request are asked for their bodies.
        reads: For each response what it was made from; None where it was taken over.
        graph: What those were made from.
    """
    found: set[str] = set()
    pictures = picture_dependencies(graph.names)
    numbers = {number for number, name in enumerate(graph.names) if name in pictures}
    for url, names in reads.items():
        if names is not None:
            found |= picture_dependencies(names)
        elif numbers:
            found.update(graph.names[number] for number in numbers.intersection(graph.nodes.get(url, ())))
    for node in renderer.nodes.values():
        if node.render != "static" and node.page is not None and node.source.endswith(".md"):
            with recording() as read:
                str(node.page.content)
            found |= picture_dependencies(read)
    return found
