"""A process that works on pictures: a job a line on standard input, an answer a line on standard output.

A process of its own, for a decoder that meets a hostile picture may take its process along.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import msgspec

from hyperweb.images._encode import encode
from hyperweb.images._facts import ImageFacts, read_facts
from hyperweb.images._variant import Variant


class Job(msgspec.Struct):
    """What is wanted of a picture: variants in a folder, or, without, what is known of it.

    Where `max_pixels` stands with variants, nothing is known of the picture, and it is read first.
    """

    file: str
    hash: str = ""
    max_pixels: int = 0
    variants: list[Variant] = []
    folder: str = ""


class Done(msgspec.Struct):
    """What came of a job: what is known, or what went wrong, and how long it took."""

    facts: ImageFacts | None = None
    trouble: str = ""
    milliseconds: float = 0.0


def work(job: Job) -> Done:
    """Does one job."""
    file = Path(job.file)
    if not job.variants:
        return Done(facts=read_facts(file, job.hash, job.max_pixels))
    from PIL import Image

    started = time.perf_counter()
    if job.max_pixels:
        trouble = read_facts(file, job.hash, job.max_pixels).trouble
        if trouble:
            return Done(trouble=trouble)
    # The limit of the site was kept to when the picture was first read.
    Image.MAX_IMAGE_PIXELS = None
    try:
        encode(file, job.variants, Path(job.folder))
    except Exception as error:  # noqa: BLE001 - decoders raise what they like of what they did not expect
        return Done(trouble=str(error) or type(error).__name__)
    return Done(milliseconds=(time.perf_counter() - started) * 1000)


def main() -> None:
    """Does jobs until there are no more."""
    # Who began this process is interrupted too, and ends it when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(work(decoder.decode(line))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
