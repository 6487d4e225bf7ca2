"""Check the data section of an edition-2 message against what its header promises, before it is decoded.

eccodes trusts these numbers: where damaged groups reach past the section, or a PNG image has another depth
than stated, it ends the whole process (an assertion, or a segmentation fault), which no caller can catch.
Octets are those of WMO FM 92 GRIB2 templates 5.0, 5.2, 5.3, 5.40, 5.41 and 7.2, 7.3.
"""

import numpy as np

from mlrtma_dist.io.grib_messages import GribError, cut_sections

SIMPLE, COMPLEX, SPATIAL, PNG = 0, 2, 3, 41
NO_BITMAP, BITMAP_HERE = 255, 0
MOST_BITS = 32  # of one packed number
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def check_packing(message: bytes, where: str) -> None:
    """Check that a one-field message holds the data it states.

    Raises:
        GribError: the counts, the bitmap or the packed groups contradict each other.
    """
    if message[7] != 2:
        return
    sections = cut_sections(message)
    try:
        _check(sections)
    except (ValueError, IndexError) as error:
        raise GribError(f"{where}: damaged: {error or 'a section is shorter than its template'}") from error


def _number(section: bytes, first: int, last: int) -> int:
    """Octets ``first`` to ``last``, counted from 1 as the manual counts."""
    if last > len(section):
        raise ValueError(f"section {section[4]} has {len(section)} octets, octet {last} is needed")
    return int.from_bytes(section[first - 1 : last])


def _check(sections: dict[int, bytes]) -> None:
    points, count = _number(sections[3], 7, 10), _number(sections[5], 6, 9)
    template, bits = _number(sections[5], 10, 11), _number(sections[5], 20, 20) if len(sections[5]) > 19 else 0
    indicator = _number(sections[6], 6, 6)
    present = points
    if indicator == BITMAP_HERE:
        bitmap = np.unpackbits(np.frombuffer(sections[6], dtype=np.uint8, offset=6))
        if len(bitmap) < points:
            raise ValueError(f"a bitmap of {len(bitmap)} bits for {points} points")
        present = int(bitmap[:points].sum())
    if indicator in (NO_BITMAP, BITMAP_HERE) and count != present:
        raise ValueError(f"section 5 announces {count} values, the grid has {present} points with one")
    if template in (SIMPLE, COMPLEX, SPATIAL, PNG) and bits > MOST_BITS:
        raise ValueError(f"{bits} bits a value; at most {MOST_BITS} make sense")
    if template == SIMPLE and 5 + (count * bits + 7) // 8 > len(sections[7]):
        raise ValueError(f"{count} values of {bits} bits do not fit into {len(sections[7])} octets")
    if template in (COMPLEX, SPATIAL):
        _check_groups(sections[5], sections[7], count, bits, template == SPATIAL)
    if template == PNG and bits:
        _check_png(sections[7], count, bits)


def _check_groups(header: bytes, data: bytes, count: int, bits: int, spatial: bool) -> None:
    groups, width_bits, length_bits = _number(header, 32, 35), _number(header, 37, 37), _number(header, 47, 47)
    if groups == 0 and bits == 0:  # a constant field
        return
    if not 0 < groups <= count or max(width_bits, length_bits) > MOST_BITS:
        raise ValueError(
            f"{groups} groups of {count} values, their widths in {width_bits} and lengths in {length_bits} bits"
        )
    position = 5
    if spatial:
        order, extra = _number(header, 48, 48), _number(header, 49, 49)
        if order > 2 or extra > 4:
            raise ValueError(f"spatial differences of order {order} with {extra} extra octets; at most 2 and 4 exist")
        position += (order + 1) * extra if order else 0
    position += (groups * bits + 7) // 8
    widths, position = _packed(data, position, groups, width_bits)
    lengths, position = _packed(data, position, groups, length_bits)
    widths += _number(header, 36, 36)
    lengths = _number(header, 38, 41) + _number(header, 42, 42) * lengths
    lengths[-1] = _number(header, 43, 46)
    if lengths.sum() != count or widths.max() > MOST_BITS:
        raise ValueError(f"groups of {lengths.sum()} values in all, up to {widths.max()} bits wide, for {count} values")
    needed = position + (int((widths * lengths).sum()) + 7) // 8
    if needed > len(data):
        raise ValueError(f"packed groups need {needed} octets, section 7 has {len(data)}")


def _packed(data: bytes, position: int, count: int, bits: int) -> tuple[np.ndarray, int]:
    """``count`` unsigned numbers of ``bits`` bits from octet ``position``, and the octet after them."""
    end = position + (count * bits + 7) // 8
    if end > len(data):
        raise ValueError(f"packed groups need {end} octets, section 7 has {len(data)}")
    if bits == 0:
        return np.zeros(count, dtype=np.int64), end
    flags = np.unpackbits(np.frombuffer(data[position:end], dtype=np.uint8))[: count * bits].reshape(count, bits)
    return flags @ (1 << np.arange(bits - 1, -1, -1, dtype=np.int64)), end


def _check_png(data: bytes, count: int, bits: int) -> None:
    image = data[5:]
    if not image.startswith(PNG_SIGNATURE) or len(image) < 33 or image[12:16] != b"IHDR":
        raise ValueError("section 7 does not hold a PNG image")
    width, height = int.from_bytes(image[16:20]), int.from_bytes(image[20:24])
    depth = image[24] * PNG_CHANNELS.get(image[25], 0)
    if width * height != count or depth != (bits + 7) // 8 * 8:
        raise ValueError(f"a PNG image of {width} x {height} points of {depth} bits for {count} values of {bits} bits")
