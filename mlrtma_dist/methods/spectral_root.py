"""B^1/2 of several fields on a periodic plane by Fourier modes, on tiles as on one process: a root of 4D-Var's B.

    B^1/2 v = F^-1 S(k)^1/2 F v

S(k) is the matrix between the fields at one wave number (`linalg.cross_spectral`), its root the Hermitian one, so
B^1/2 is symmetric. On tiles every rank gathers the control and transforms all of it; its adjoint sums what the ranks
make of their parts. That is one gather of the whole plane per product, and its memory on every rank: meant for planes
that one rank can hold, beside a model whose steps are what costs.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class SpectralRoot:
    """The root of a covariance: an argument ``root`` of `methods.fourdvar.Window`.

    Attributes:
        covariance: of m fields on the whole plane.
        here: the part of the plane that this rank has.

    Raises:
        InputError: the plane does not wrap, or is not the covariance's.
    """

    covariance: CrossCovariance
    here: Neighbourhood
    _root: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if tuple(self.here.domain) != tuple(self.covariance.shape) or not all(self.here.periodic):
            raise InputError(
                f"SpectralRoot: expected a plane of {tuple(self.covariance.shape)} points that wraps in y and x, as the"
                f" covariance has, got {tuple(self.here.domain)}, wraps: {tuple(self.here.periodic)}. Estimate the"
                " covariance on this plane."
            )
        object.__setattr__(self, "_root", torch.from_numpy(self.covariance.root))

    def __call__(self, control: Tensor) -> Tensor:
        """B^1/2 v of this rank's part of fields (..., m, y, x), in the fields' units. Collective."""
        whole = self.here.whole(control)
        root = self._root.to(device=whole.device, dtype=whole.dtype.to_complex())
        modes = torch.einsum("yxab,...byx->...ayx", root, torch.fft.rfft2(whole))
        fields = torch.fft.irfft2(modes, self.covariance.shape)
        return fields[(..., *self.here.box.slices)]
