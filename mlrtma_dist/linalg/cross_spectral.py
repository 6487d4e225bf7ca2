"""Covariances of several fields on a periodic plane, the same from every point, estimated from cases of them.

Where statistics do not depend on the place, Fourier modes of different wave numbers are uncorrelated, and those of one
wave number k have a Hermitian matrix S(k) with a row for each field. It is the mean of X(k) X(k)* / points over cases.
With m fields on n points a full covariance has (m n)^2 numbers, this one m^2 n: a few thousand cases determine it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.errors import InputError


@dataclass(frozen=True)
class CrossCovariance:
    """Means and covariances of m fields.

    Attributes:
        shape: points in y and x.
        mean: of every field, shape (m,).
        spectra: S(k), Hermitian, shape (m, m, y, x // 2 + 1), in the order of ``numpy.fft.rfft2``.
    """

    shape: tuple[int, int]
    mean: np.ndarray
    spectra: np.ndarray

    @classmethod
    def estimate(cls, blocks: Iterable[np.ndarray]) -> "CrossCovariance":
        """From cases of the fields, about one mean for all points and cases.

        Args:
            blocks: arrays of cases, shape (case, m, y, x) each.

        Raises:
            InputError: no case.
        """
        cases, shape = 0, (0, 0)
        total = spectra = np.zeros(())
        for block in blocks:
            shape = block.shape[-2:]
            modes = np.fft.rfft2(block)
            spectra = spectra + np.einsum("nayx,nbyx->abyx", modes, modes.conj()) / np.prod(shape)
            cases, total = cases + len(block), total + block.sum(0, dtype=np.float64).sum((-2, -1))
        if not cases:
            raise InputError("expected cases to estimate covariances from, got none. Name a store that has some.")
        points = int(np.prod(shape))
        mean, spectra = total / (cases * points), spectra / cases
        spectra[:, :, 0, 0] -= np.outer(mean, mean) * points  # only the mode of k = 0 knows the mean
        return cls(shape, mean, spectra)

    def part(self, fields: slice) -> "CrossCovariance":
        """The covariances among some of the fields."""
        return CrossCovariance(self.shape, self.mean[fields], self.spectra[fields, fields])

    @cached_property
    def rows(self) -> np.ndarray:
        """Covariance of field a at a point with field b at a point that lies (y, x) behind it: (m, m, y, x)."""
        return np.fft.irfft2(self.spectra, self.shape)

    @cached_property
    def root(self) -> np.ndarray:
        """S(k)^1/2, Hermitian, with which white noise of deviation one becomes fields of this covariance.

        Shape (y, x // 2 + 1, m, m). Eigenvalues that rounding has made negative count as zero.
        """
        values, vectors = np.linalg.eigh(self.spectra.transpose(2, 3, 0, 1))
        return vectors * np.sqrt(values.clip(min=0.0))[..., None, :] @ vectors.conj().swapaxes(-1, -2)

    def between(self, places: np.ndarray, kinds: np.ndarray, others: np.ndarray, other_kinds: np.ndarray) -> np.ndarray:
        """Covariances of fields at grid points, shape (n, m).

        Args:
            places: (y, x), integers of shape (n, 2); kinds: number of the field, shape (n,).
            others, other_kinds: the same of m points.
        """
        offset = places[:, None] - others[None]
        rows, columns = offset[..., 0] % self.shape[0], offset[..., 1] % self.shape[1]
        return self.rows[kinds[:, None], other_kinds[None], rows, columns]

    def spread(self, places: np.ndarray, kinds: np.ndarray, weights: np.ndarray, fields: int) -> np.ndarray:
        """Covariance of the first fields everywhere with a weighted sum of fields at points.

        Args:
            places, kinds: as of `between`; weights: shape (n,).
            fields: how many.

        Returns:
            Shape (fields, y, x).
        """
        load = np.zeros((len(self.mean), *self.shape))
        np.add.at(load, (kinds, *places.T), weights)
        return np.fft.irfft2(np.einsum("abyx,byx->ayx", self.spectra[:fields], np.fft.rfft2(load)), self.shape)
