"""Forward-mode differentiation in threads, as tiles in one process are."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, set_grad_enabled
from torch.autograd import forward_ad

_lock = threading.Lock()
_users: list[int] = []  # threads in forward mode


def push(function: Callable[[Tensor], Tensor], at: Tensor, along: Tensor, *, graph: bool = False) -> Tensor:
    """The derivative of a function at a tensor along another: one evaluation in forward mode.

    Args:
        at: the argument, any shape; along: the direction, the same shape.
        graph: keep what a backward pass through the derivative needs, as a loss of derivatives has one.

    Returns:
        The shape of the function's value; zeros where that does not depend on the argument.
    """
    with set_grad_enabled(graph), _forward_mode():
        value = forward_ad.unpack_dual(function(forward_ad.make_dual(at, along)))
    return value.primal.new_zeros(value.primal.shape) if value.tangent is None else value.tangent


@contextmanager
def _forward_mode() -> Iterator[None]:
    """Forward mode for this thread: PyTorch has one level for all threads, which the last of them closes."""
    with _lock:
        if not _users:
            forward_ad.enter_dual_level()
        _users.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _users.pop()
            if not _users:
                forward_ad.exit_dual_level()
