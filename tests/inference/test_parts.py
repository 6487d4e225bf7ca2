"""Parts: cases and points are dealt out to the ranks without a gap and without an overlap."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from shares import of_shares

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import at_reports, owned
from mlrtma_dist.inference.parts import BLOCK, Analyst, Part, alignment, part_of
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import BLOCK as POINTS
from mlrtma_dist.methods.method import Fields
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS, Entry, Means, build

SHAPE = (120, 160)
QUARTERS = [Box(y0, y1, x0, x1) for y0, y1 in ((0, 48), (48, 120)) for x0, x1 in ((0, 96), (96, 160))]


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("cases", [0, 1, BLOCK, BLOCK + 1, 7 * BLOCK - 3])
def test_every_case_is_taken_once_and_all_ranks_take_equally_many_rounds(ranks, cases):
    rounds = [list(Part(Box.whole(SHAPE), rank, ranks).blocks(cases)) for rank in range(ranks)]
    assert len({len(each) for each in rounds}) == 1
    numbers = [number for each in rounds for block in each for number in block]
    assert sorted(numbers) == list(range(cases))
    assert all(len(block) <= BLOCK for each in rounds for block in each)


def test_only_rank_0_writes_what_is_written_once():
    communicators = [None, SimpleNamespace(rank=0), SimpleNamespace(rank=1)]
    first = [Part(Box.whole(SHAPE), communicator=each).is_first for each in communicators]
    assert first == [True, True, False]


def test_tiles_begin_on_multiples_that_suit_every_method_and_the_store(toy):
    classical = build(("threedvar", "oi"), Means(settings=toy.settings("t2m")))
    assert alignment({}) == 1 and alignment({"a": object()}, 6) == 6
    assert alignment(classical) == POINTS == 48
    assert alignment({**classical, "network": SimpleNamespace(alignment=10)}, 32) == 480


@dataclass(frozen=True)
class FakeRanks:
    """One rank of (data, y, x) ranks; keeps what it is asked for a tile."""

    rank: int
    coordinates: tuple[int, int, int]
    mesh: SimpleNamespace
    asked: dict = field(default_factory=dict)
    communicator = None
    threads = 3

    def tile(self, shape, **options):
        self.asked.update(options, shape=shape)
        return SimpleNamespace(box=QUARTERS[2])

    def neighbourhood(self, tile):
        return "of the tile" if tile.box == QUARTERS[2] else "of another"

    def total(self, array):
        return array + 1

    def tiles_total(self, array):
        return 2 * array


@pytest.mark.parametrize("tiles, align", [(1, 1), (4, 96)])
def test_a_part_is_that_of_the_rank_on_aligned_tiles(toy, tiles, align):
    methods = build(("threedvar",), Means(settings=toy.settings("t2m")))
    ranks = FakeRanks(4 + 2 % tiles, (4 // tiles, 1, 0), SimpleNamespace(tiles=tiles, data=5))
    cases = SimpleNamespace(contents=SimpleNamespace(domain=toy.static.domain), edge=32)
    part = part_of(ranks, cases, methods)
    assert ranks.asked == {"shape": SHAPE, "align": align, "periodic": (False, False), "name": toy.static.domain.name}
    assert (part.data_rank, part.data_ranks) == (4 // tiles, 5)
    assert (part.box, part.neighbourhood, part.communicator) == (QUARTERS[2], "of the tile", None)
    assert (part.share.number, part.share.count, part.share.threads) == (2 % tiles, tiles, 3)
    assert (part.share.total(np.ones(2)) == 2).all() and (part.total(np.ones(2)) == 2).all()


class Drawing:
    """A method that can divide its members."""

    def divided(self, team):
        self.team = team


class Swapping:
    """A communicator of four ranks that hands rank 3 what every rank would send to it."""

    def alltoall(self, sent):
        assert [each is None for each in sent] == [True, False, True, False]  # the ranks of the other tile get nothing
        return [f"from {rank}" for rank in range(4)]

    def allgather(self, number):
        return [1.0, 2.0, 5.0, number]


def test_members_are_divided_over_the_data_axis_where_cases_do_not_suffice_for_it(toy):
    ranks = FakeRanks(3, (1, 1, 0), SimpleNamespace(tiles=2, data=2))
    object.__setattr__(ranks, "size", 4)
    object.__setattr__(ranks, "communicator", Swapping())

    def part(cases: int, one_case, methods):
        source = SimpleNamespace(contents=SimpleNamespace(domain=toy.static.domain), time=np.zeros(cases))
        return part_of(ranks, source, methods, one_case=one_case)

    drawing = {"diffusion": Drawing()}
    for own in (part(40, True, drawing), part(BLOCK, False, drawing)):
        assert (own.data_rank, own.data_ranks, own.share.number, own.share.count) == (0, 1, 3, 4)
        assert (own.team.number, own.team.count) == (1, 2) and own.box == QUARTERS[2]
        assert own.team.exchange(["a", "b"]) == ["from 1", "from 3"] and own.team.largest(3.0) == 5.0
        Analyst(None, drawing, own)
        assert drawing["diffusion"].team is own.team
    classical = {"rows": Rows()}
    for own in (part(BLOCK + 1, False, drawing), part(1, None, drawing), part(1, True, drawing | classical)):
        assert own.team is None and (own.data_rank, own.data_ranks, own.share.count) == (1, 2, 2)


class Counted:
    """The simulated hour as a source that counts how often each box of it is made."""

    def __init__(self, toy, settings):
        self.toy, self.settings, self.calls = toy, settings, []
        self.contents = SimpleNamespace(domain=toy.static.domain)

    def case(self, number: int, box: Box, withheld=None) -> Case:
        self.calls.append((number, box, withheld))
        return self.toy.case(self.settings, box=box, withheld=withheld)


@dataclass(frozen=True)
class Rows:
    """A method whose analysis of a point is the number of its row in the domain."""

    def analyse(self, case: Case, neighbourhood=None):
        rows = np.arange(case.box.y0, case.box.y1, dtype=np.float32)
        values = {"t2m": np.repeat(rows[:, None], case.box.shape[1], axis=1)}
        return SimpleNamespace(case=case, fields=lambda share: Fields(values, values, values))


def test_a_case_is_made_once_per_box_and_the_answer_of_a_whole_domain_is_cut_to_the_part(toy, monkeypatch):
    monkeypatch.setitem(
        METHODS, "whole", Entry("whole", "whole", (Need.FIRST_GUESS,), lambda means: Rows(), whole=True)
    )
    source, part = Counted(toy, toy.settings("t2m")), Part(QUARTERS[3])
    analyst = Analyst(source, {"a": Rows(), "whole": Rows(), "b": Rows(), "first_guess": Rows()}, part)
    withheld = np.zeros(len(toy.world.observations), dtype=bool)
    answers = list(analyst.answers(6, withheld))
    assert [name for name, _, _ in answers] == ["a", "whole", "b", "first_guess"]
    assert [(number, box) for number, box, _ in source.calls] == [(6, QUARTERS[3]), (6, Box.whole(SHAPE))]
    assert all(mask is withheld for _, _, mask in source.calls)
    expected = np.repeat(np.arange(48, 120)[:, None], 64, axis=1)
    for _, case, answer in answers:
        fields = analyst.fields(case, answer)
        for group in (fields.values, fields.first_guess, fields.error):
            np.testing.assert_array_equal(group["t2m"], expected)


def test_the_boxes_of_a_domain_own_every_report_once_also_those_beyond_its_edge(toy):
    settings = toy.settings("t2m", "u10", "v10")
    cases = [toy.case(settings, box=box) for box in QUARTERS]
    owners = np.sum([owned(case) for case in cases], axis=0)
    place = cases[0].grid_place
    beyond = ((place < -0.5) | (place > np.array(SHAPE) - 0.5)).any(axis=1)
    assert (owners == 1).all()
    assert (~beyond).sum() > 500
    far = toy.world.observations.of("t2m")[:4]
    far = type(far)(**{**vars(far), "latitude": far.latitude + np.array([-30.0, 30.0, 0.0, np.nan])})
    owners = np.sum([owned(toy.case(settings, far, box=box)) for box in QUARTERS], axis=0)
    assert (owners == 1).all()


@dataclass(frozen=True)
class OfTheBox:
    """An answer on its own box alone: latitude, with longitude as its error; keeps how many points were evaluated."""

    evaluated: list
    everywhere = False
    variables = ("t2m", "psfc")

    def at(self, variable, points):
        self.evaluated.append(len(points))
        return points.latitude, points.longitude


def test_answers_known_on_boxes_alone_give_together_the_analysis_at_every_report(toy):
    settings = toy.settings("t2m", "psfc")
    cases, evaluated = [toy.case(settings, box=box) for box in QUARTERS], []
    rows = cases[0].used
    works = [lambda share, case=case: at_reports(case, OfTheBox(evaluated), rows, share) for case in cases]
    for value, error in of_shares(works):
        np.testing.assert_array_equal(value, np.where(rows, cases[0].points.latitude, np.nan))
        np.testing.assert_array_equal(error, np.where(rows, cases[0].points.longitude, np.nan))
    assert sum(evaluated) == 2 * rows.sum() and max(evaluated) < rows.sum() / 2  # of_shares evaluates twice
