"""Members in 4D-Var: the Kalman smoother of their covariance without localisation, the covariance itself with one."""

import numpy as np
import pytest
import torch
from test_fourdvar import array, linear_window, smoothed

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.localisation import gaspari_cohn
from mlrtma_dist.methods.fourdvar import Window, minimise
from mlrtma_dist.methods.fourdvar_members import HybridRoot, MemberWindow

N, MEMBERS = 6, 9


def deviations(*shape: int, seed: int) -> torch.Tensor:
    members = array(*shape, seed=seed)
    return members - members.mean(0)


def everywhere(weight: torch.Tensor) -> torch.Tensor:
    """L^1/2 where nothing is localised: one weight of each member, the mean over places times sqrt(N)."""
    return weight.sum(-1, keepdim=True) / weight.shape[-1] ** 0.5 + 0.0 * weight


def circle(places: int, reach: float) -> torch.Tensor:
    """L of places on a circle, by the length of the chords between them."""
    chord = places / np.pi * np.abs(np.sin(np.pi * np.subtract.outer(np.arange(places), np.arange(places)) / places))
    return torch.from_numpy(gaspari_cohn(chord / reach))


def test_members_alone_without_localisation_are_the_kalman_smoother_of_their_covariance():
    static, _, model, operators, none = linear_window(weak=False)
    members = deviations(MEMBERS, N, seed=50)
    root = HybridRoot(members, everywhere)
    window = Window(static.background, root, static.model, static.observed, fields=root.fields)
    trajectory = [members]
    for _ in static.observed[1:]:
        trajectory.append(trajectory[-1] @ model.T)
    background = [static.background]
    for _ in static.observed[1:]:
        background.append(static.model(background[-1]))
    in_place = MemberWindow(torch.stack(background), torch.stack(trajectory), everywhere, static.observed)
    square_root = torch.linalg.cholesky(members.T @ members / (MEMBERS - 1))
    expected = smoothed(static, square_root, model, operators, none)
    for each in (window, in_place):
        states = torch.stack(minimise(each, outer_loops=1, tolerance=1e-13).states)
        np.testing.assert_allclose(states, expected, rtol=1e-8, atol=1e-8)


def test_a_hybrid_root_is_the_root_of_the_localised_hybrid_covariance():
    members, share, static = deviations(MEMBERS, N, seed=51), 0.7, torch.tril(array(N, N, seed=52))
    taper = circle(N, 1.7)
    taper_root = torch.linalg.cholesky(taper)
    root = HybridRoot(members, lambda v: v @ taper_root.T, lambda v: static @ v, share)
    columns = torch.eye(root.fields * N, dtype=torch.float64).reshape(-1, root.fields, N)
    matrix = torch.stack([root(column) for column in columns], 1)
    expected = (1 - share) * static @ static.T + share * taper * (members.T @ members) / (MEMBERS - 1)
    torch.testing.assert_close(matrix @ matrix.T, expected, rtol=1e-12, atol=1e-12)
    assert 0 < int((taper == 0).sum()) < N * N, "some places are out of each other's reach, others not"


def test_members_that_make_no_sense_are_refused_in_words():
    members = deviations(3, N, seed=53)
    with pytest.raises(InputError, match="share: expected 0 to 1, got 1.5"):
        HybridRoot(members, everywhere, lambda v: v, 1.5)
    with pytest.raises(InputError, match="expected 1 without a root of another covariance, got 0.5"):
        HybridRoot(members, everywhere, share=0.5)
    with pytest.raises(InputError, match="expected deviations of 2 members or more, got 1"):
        HybridRoot(members[:1], everywhere)
    with pytest.raises(InputError, match=r"got \(2, 6\) and \(1, 3, 6\)"):
        MemberWindow(torch.zeros(2, N), members[None], everywhere, [None, None])
