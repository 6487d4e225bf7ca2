"""Where a process can be reached, as numbers: node names need not resolve inside a job.

Asks the kernel, never a name server. Which interface leads to an address is what a UDP socket "connected" to it says;
no packet is sent.
"""

import fcntl
import socket
import struct

_GET_ADDRESS = 0x8915  # SIOCGIFADDR, linux/sockios.h
_ELSEWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): any address off this network


class AddressError(OSError):
    """This node has no network address that others could use."""


def interfaces() -> dict[str, str]:
    """IPv4 address of every network interface that has one, by its name."""
    addresses = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asker.fileno(), _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
            except OSError:  # an interface without an address
                continue
            addresses[name] = socket.inet_ntoa(answer[20:24])
    return addresses


def towards(address: str) -> str | None:
    """Our own address as seen from ``address``; None where no route leads there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        try:
            asker.connect((address, 9))
        except OSError:
            return None
        return asker.getsockname()[0]


def own_address(one_node: bool) -> str:
    """The address by which the other ranks reach this one.

    Args:
        one_node: all ranks are on this node, so the loopback serves.

    Raises:
        AddressError: several nodes, but this one has the loopback only.
    """
    if one_node:
        return "127.0.0.1"
    outward = [address for address in interfaces().values() if not address.startswith("127.")]
    routed = towards(_ELSEWHERE)
    if routed in outward:
        return routed
    if outward:
        return outward[0]
    raise AddressError(f"expected a network address beside the loopback, found {interfaces()}. Use one node.")


def interface_towards(address: str) -> str | None:
    """Name of the interface that leads to ``address``; None if it cannot be told."""
    own = towards(address)
    return next((name for name, each in interfaces().items() if each == own), None)
