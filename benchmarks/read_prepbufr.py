"""Claim: a RAP surface PrepBUFR (16,751 reports) is read in under 10 s on one core, far faster than by pybufrkit.

    python benchmarks/read_prepbufr.py [FILE] [--whole]

pybufrkit 0.2.25 (with bitstring 3.1.9) is the one library on PyPI that reads NCEP's embedded tables; it is timed
below its renderer.
Without --whole it is timed on the first messages only and our time on the same messages is compared.
"""

import argparse
import os
import pathlib
import time

from mlrtma_dist.observations.prepbufr import read_prepbufr

SHORT = 190_000  # bytes; tables and 14 messages with reports


def best_of(count: int, function, *arguments) -> float:
    """Smallest wall time of some calls, in seconds."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - begin)
    return min(times)


def cut(data: bytes, size: int) -> bytes:
    """The whole messages in the first ``size`` bytes."""
    end = 0
    while (start := data.find(b"BUFR", end)) >= 0:
        after = start + int.from_bytes(data[start + 4 : start + 7], "big")
        if after > size:
            break
        end = after
    return data[:end]


def by_pybufrkit(data: bytes, **options) -> int:
    """Decode all messages with pybufrkit; returns the number of subsets."""
    from pybufrkit.decoder import Decoder, generate_bufr_message

    return sum(
        len(message.template_data.value.decoded_values_all_subsets)
        for message in generate_bufr_message(Decoder(**options), data)
    )


def main() -> None:
    default = pathlib.Path(
        os.environ.get("MLRTMA_REAL_DATA", "../shared/data"), "prepbufr", "rap.20220824.t06z.adpsfc.prepbufr"
    )
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=pathlib.Path, default=default)
    parser.add_argument("--whole", action="store_true", help="time pybufrkit on the whole file (about a minute)")
    options = parser.parse_args()
    data = options.file.read_bytes()
    reports = len(read_prepbufr(data, options.file.name))
    print(f"{options.file.name}: {len(data)} bytes, {reports} rows")
    print(f"read_prepbufr, whole file: {best_of(3, read_prepbufr, data, options.file.name):.2f} s (target 10 s)")
    part = data if options.whole else cut(data, SHORT)
    ours = best_of(3, read_prepbufr, part, options.file.name)
    print(f"read_prepbufr, {len(part)} bytes: {ours:.3f} s")
    plain = best_of(1, by_pybufrkit, part)
    print(f"pybufrkit, {len(part)} bytes: {plain:.2f} s")
    begin = time.perf_counter()
    by_pybufrkit(part, compiled_template_cache_max=50)
    compiled = time.perf_counter() - begin
    print(f"pybufrkit with compiled templates, {len(part)} bytes: {compiled:.2f} s")
    print(f"ratio: {min(plain, compiled) / ours:.0f}")


if __name__ == "__main__":
    main()
