"""Writes small BUFR messages bit by bit: the truth that the reader is tested against."""

CLASS_0 = (
    "103000",
    "031001",
    "000001",
    "000002",
    "000003",
    "101000",
    "031001",
    "300004",
    "105000",
    "031001",
    "300003",
    "205064",
    "101000",
    "031001",
    "000030",
)


def number(value: int | None, width: int) -> str:
    """Bits of an unsigned number; None is missing."""
    return format((1 << width) - 1 if value is None else value, f"0{width}b")


def text(value: str | None, size: int) -> str:
    """Bits of a text padded to ``size`` characters; None is missing."""
    raw = b"\xff" * size if value is None else value.encode().ljust(size)
    return "".join(f"{byte:08b}" for byte in raw)


def message(
    category: int,
    descriptors,
    bits: str,
    subsets: int = 1,
    *,
    compressed: bool = False,
    edition: int = 3,
    date=(22, 8, 24, 6, 0),
) -> bytes:
    """One message; ``bits`` is the data of section 4."""
    if edition == 4:
        first = bytes([0, 0, 7, 0, 3, 0, 0, category, 0, 0, 29, 0, *(2000 + date[0]).to_bytes(2, "big"), *date[1:], 0])
    else:
        first = bytes([0, 3, 7, 0, 0, category, 0, 29, 0, *date, 21])
    first = (len(first) + 3).to_bytes(3, "big") + first
    codes = b"".join(bytes([int(d[0]) << 6 | int(d[1:3]), int(d[3:])]) for d in descriptors)
    third = bytes([0, *subsets.to_bytes(2, "big"), 128 | 64 * compressed]) + codes
    third = (len(third) + 3).to_bytes(3, "big") + third
    bits += "0" * (-len(bits) % 16)
    data = int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:] if bits else b""
    fourth = (len(data) + 4).to_bytes(3, "big") + b"\0" + data
    length = 8 + len(first) + len(third) + len(fourth) + 4
    return b"BUFR" + length.to_bytes(3, "big") + bytes([edition]) + first + third + fourth + b"7777"


def tables(elements: dict, sequences: dict, categories: dict) -> bytes:
    """A message with tables as NCEP embeds them.

    Args:
        elements: descriptor -> (mnemonic, unit, scale, reference, width).
        sequences: descriptor -> (mnemonic, members).
        categories: number of the message type -> mnemonic.
    """
    bits = number(len(categories), 8)
    for code, name in categories.items():
        bits += text(f"{code:3d}", 3) + text(name, 32) + text("", 32)
    bits += number(len(elements), 8)
    for key, (name, unit, scale, reference, width) in elements.items():
        bits += text(key, 6) + text(f"{name:8s}  an element", 64) + text(unit, 24)
        bits += text("-" if scale < 0 else "+", 1) + text(str(abs(scale)), 3)
        bits += text("-" if reference < 0 else "+", 1) + text(str(abs(reference)), 10) + text(str(width), 3)
    bits += number(len(sequences), 8)
    for key, (name, members) in sequences.items():
        bits += (
            text(key, 6)
            + text(f"{name:8s}  a sequence", 64)
            + number(len(members), 8)
            + "".join(text(m, 6) for m in members)
        )
    return message(11, CLASS_0, bits, date=(0, 0, 0, 0, 0))
