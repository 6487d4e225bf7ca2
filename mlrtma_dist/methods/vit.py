"""A vision transformer from station reports to the analysis, without a background (docs/vision_transformer.md).

Zhao et al. 2024 and Allen et al. 2025 forecast from raw observations by encoding, processing and decoding; here the
same is an analysis. The loss is the CRPS of every variable at stations whose reports the network is not given.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.fields.static import with_broad_ground
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.classical_source import ClassicalSource, degraded
from mlrtma_dist.methods.draws import MOST_TARGETS, divide, heights, random_of
from mlrtma_dist.methods.image_encoding import (
    Images,
    check_imagery,
    missing_channels,
    point_labels,
    token_labels,
)
from mlrtma_dist.methods.learned import ContentsError, build_method, first_weights
from mlrtma_dist.methods.method import ALONE, Share
from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.report_distributions import Distributions, Heads
from mlrtma_dist.methods.report_encoding import FEATURES, FEW, Reports, fields_count, read_reports, tensor, token_fields
from mlrtma_dist.methods.report_sample import ReportSample
from mlrtma_dist.methods.report_targets import Targets, at_rows
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.vit_answer import TransformerAnswer
from mlrtma_dist.methods.vit_entries import Entries, entries
from mlrtma_dist.methods.vit_settings import TransformerSettings
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.nn.report_points import PointSet, Stations
from mlrtma_dist.nn.report_transformer import ReportTransformer, ReportTransformerConfig

STATIONS = 2500  # of a national hour


class TransformerMethod:
    """The method (`methods.learned.LearnedMethod`).

    Attributes:
        network: gives a state of tokens and stations, and from it the analysis at any points.
        statistics: of the cases that were trained on, for provenance; the network's units are fixed (`predictands`).
        patch: grid points on a side of a token, of the domain of the cases.
    """

    draws = whole_reports = reads_reports = True
    lags: tuple[np.timedelta64, ...] = ()
    fields_read = 0
    signed = 0

    def __init__(self, settings: TransformerSettings, statistics: Statistics | None = None):
        self.settings, self.statistics = settings, statistics
        self.reported = Channels(settings.variables)
        scale = tuple(self.reported.scale.tolist())
        self.source = ClassicalSource(settings.variables, scale) if settings.classical else None
        beside = tuple(self.source.settings.variables) if self.source else ()
        self.heads = Heads(self.reported, settings.heads, settings.rounds, beside)
        features = FEATURES + len(settings.variables) + 1 + (self.source.count if self.source else 0)
        features += len(point_labels(settings.imagery))
        with first_weights(settings.seed):
            self.network = ReportTransformer(
                ReportTransformerConfig(
                    fields=fields_count(self.reported) + len(token_labels(settings.imagery)),
                    features=features,
                    channels=self.reported.count,
                    smooth=len(self.reported.smooth),
                    outputs=self.heads.outputs,
                    width=settings.width,
                    heads=settings.heads,
                    rounds=settings.rounds,
                    depth=settings.depth,
                    window=settings.window,
                    latent=settings.latent,
                    hidden=settings.hidden,
                    recompute=settings.recompute,
                )
            )

    def settle(self, domain: Domain) -> None:
        """Cut a domain into tokens."""
        self.patch = self.settings.patch(domain)

    @property
    def entries(self) -> Entries:
        """The entries of the weights by name of variable, by which a training takes over those of another network."""
        return entries(self)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it: a window of tokens."""
        return self.patch * self.settings.window

    @property
    def channels(self) -> tuple[int, int]:
        """Of the tokens' fields, and variables."""
        return self.network.config.fields, len(self.settings.variables)

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return self.settings.variables

    def check(self, contents: Contents) -> None:
        """Raise ContentsError unless the cases lie on the earth and every variable is observed."""
        self.check_source(contents)

    def check_source(self, contents: Contents) -> None:
        """Raise ContentsError unless the cases lie on the earth and every variable is observed."""
        missing = [name for name in self.variables if name not in contents.observed]
        if missing:
            raise ContentsError(
                f"method vit analyses {', '.join(self.variables)}; the cases of {contents.domain.name} have no reports"
                f" of {', '.join(missing)}, but of {', '.join(contents.observed)}. A training takes settings.variables."
            )
        if contents.domain.is_plane:
            raise ContentsError(f"method vit needs stations on the earth; {contents.domain.name} is a plane")
        check_imagery(self.settings.imagery, contents)

    def encode(self, case: Case, draw: int = 0) -> ReportSample:
        """A case as a batch of one: what is given, and the targets that the case's box owns; see `methods.draws`."""
        input_reports, target_reports = divide(case, draw)
        reports = self._read(case, input_reports, draw)
        fields, tokens = token_fields(reports, case, self.patch)
        targets = Targets.of(case, target_reports, self.reported)
        above = heights(case, draw, len(targets.points), self.settings.rise)[targets.own]
        stations = targets.points[targets.own]
        places = replace(stations, elevation=stations.elevation - above, relief=stations.relief - above)
        target, mask = targets.against(reports, places, above)
        mask *= targets.counted(reports)[:, None]
        if not len(places):  # every tile takes part in the network, also one without a target
            places, above = self._nowhere(case), np.zeros(1)
            target, mask = np.zeros((2, len(self.variables), 1))
        time = np.array([case.time], dtype="datetime64[s]")
        beside = self._beside(case, draw, reports, targets)
        points, cell = self._points(reports, case.domain, places, beside[0])
        parts = (tensor(part[..., None]) for part in (target, mask))
        return ReportSample(
            fields, *parts, time, tokens, reports.stations(beside[1]), points, cell, tensor(above / 1000.0)
        )

    def _read(self, case: Case, chosen: np.ndarray, draw: int = 0) -> Reports:
        """What the network is given of a case: the reports of a mask (n,), others of their stations, and imagery."""
        return read_reports(case, chosen, self.reported, self._images(case, draw), self.settings.reports_per_station)

    def _images(self, case: Case, draw: int = 0) -> Images | None:
        """The imagery that the network is given of a case, in a draw without some of it; None: it takes none."""
        channels = self.settings.imagery
        if not channels:
            return None
        random = random_of(case, draw, 4)
        missing = missing_channels(channels, self.settings.imagery_dropped, random) if draw else frozenset()
        return Images.of(case, channels, missing)

    def _beside(self, case: Case, draw: int, reports: Reports, targets: Targets):
        """What the source gives at the own targets and at the stations, in a draw degraded; None without a source."""
        if self.source is None:
            return None, None
        values = self.source.by_others(case)
        of_reports = self._columns(values, reports, reports.points, reports.row)
        if draw == 0 and case.withheld.any():
            values = self.source.at_withheld(case)
        of_targets = self._columns(values, reports, targets.points, targets.row)
        if draw:
            random = random_of(case, draw, 2)
            both = degraded(np.concatenate([of_targets, of_reports]), random)
            of_targets, of_reports = np.split(both, [len(of_targets)])
        of_targets = of_targets[targets.own]
        return (of_targets if len(of_targets) else np.zeros((1, self.source.count))), of_reports

    def _columns(self, values, reports: Reports, points: Points, row: np.ndarray) -> np.ndarray:
        """Columns of the source at stations, from its value and error at every report."""
        value, error = (at_rows(part, row[:, self._source_columns]) for part in values)
        return self.source.columns(self._where_reported(value, reports), error, self._guess(reports, points))

    def _where_reported(self, value: np.ndarray, reports: Reports) -> np.ndarray:
        """The source's values (m, v), NaN of variables of which no report is given: they are a first guess alone."""
        return np.where(reports.reported[self._source_columns], value, np.nan)

    @property
    def _source_columns(self) -> list[int]:
        """Numbers of the source's variables among the network's."""
        return [self.variables.index(name) for name in self.source.settings.variables]

    def _beside_points(self, case: Case, reports: Reports, points: Points, broad: Points, share: Share):
        """Columns of the source at any points of an analysis, ``broad`` with broad ground; None without a source."""
        if self.source is None:
            return None
        at = self.source.answer(case).at_all(points, share)
        value, error = (np.stack(part, axis=1) for part in zip(*at.values(), strict=True))
        return self.source.columns(self._where_reported(value, reports), error, self._guess(reports, broad))

    def _guess(self, reports: Reports, points: Points) -> np.ndarray:
        """First guess of the source's variables at m points, shape (m, v)."""
        return np.stack([reports.guess.mean(name, points) for name in self.source.settings.variables], axis=1)

    def _nowhere(self, case: Case) -> Points:
        """One point of the case's box."""
        box = case.box
        return with_broad_ground(case.static, case.grid_points(slice(box.y0, box.y0 + 1), slice(box.x0, box.x0 + 1)))

    def _points(self, reports: Reports, domain: Domain, points: Points, beside: np.ndarray | None):
        """Points as tensors, with what stands beside them, and their coordinates on the grid of the tokens."""
        place = np.stack(domain.index(points.latitude, points.longitude), axis=1)
        point_set = reports.point_set(points, reports.near(points.position, self.settings.neighbours))
        no_age = np.zeros(len(points))  # stations alone have one
        features = reports.with_further(point_set, no_age, place, beside)
        return features, tensor((place + 0.5) / self.patch - 0.5)

    def without_data(self, shape: tuple[int, int], batch: int) -> ReportSample:
        """A sample of as many stations and targets as a national hour has; see `methods.learned.LearnedMethod`."""
        config, neighbours = self.network.config, self.settings.neighbours
        rows, columns = (-(-size // self.patch) for size in shape)

        def blank(*size: int) -> Tensor:
            return torch.empty(batch, *size, device="meta")

        def points(count: int, near: int) -> PointSet:
            return PointSet(blank(count, 3), blank(count, config.features), blank(count, 3), blank(count, near).long())

        values = blank(STATIONS, config.channels)
        return ReportSample(
            blank(config.fields, rows, columns),
            *(blank(len(self.variables), MOST_TARGETS, 1) for _ in range(2)),
            np.full(batch, np.datetime64("NaT", "s")),
            points(rows * columns, FEW),
            Stations(points(STATIONS, FEW), values, values),
            points(MOST_TARGETS, neighbours),
            blank(MOST_TARGETS, 2),
            blank(MOST_TARGETS),
        )

    def weight(self, sample: ReportSample) -> float:
        """Known target values of a sample on this tile; of one without data all."""
        if sample.mask.is_meta:
            return float(sample.mask.numel())
        return float(sample.mask.double().sum())

    def loss(self, sample: ReportSample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's targets of their CRPS in units of each variable's scale, a scalar, and its `weight`."""
        decoded = self.network(
            sample.inputs,
            sample.tokens,
            sample.stations,
            sample.points,
            sample.cell,
            neighbourhood.coarsen(self.patch),
        )
        scores = self.heads.crps(
            self.heads.read(decoded, sample.stations, sample.points.features), sample.target[..., 0], sample.rise
        )
        mask = sample.mask[..., 0]
        return (torch.where(mask > 0, scores, 0.0) * mask).sum(), self.weight(sample)

    def distributions(
        self, encoded, reports: Reports, case: Case, points: Points, stations, share: Share = ALONE
    ) -> Distributions:
        """The distributions at any points, from what the network has encoded."""
        broad = with_broad_ground(case.static, points)
        beside = self._beside_points(case, reports, points, broad, share)
        point_set, cell = self._points(reports, case.domain, broad, beside)
        device = encoded.tokens.device
        decoded = self.network.decoder(encoded, point_set.each(lambda part: part.to(device)), cell.to(device))
        return self.heads.read(decoded, stations, point_set.features.to(device))

    @torch.no_grad()
    def analyse(self, case: Case, neighbourhood: Neighbourhood | None = None) -> TransformerAnswer:
        """The analysis of a case of any source; see `methods.method.Method.analyse`."""
        here = neighbourhood or Alone(case.domain.shape)
        device = next(self.network.parameters()).device
        reports = self._read(case, case.used)
        inputs, tokens = token_fields(reports, case, self.patch)
        beside = None
        if self.source is not None:
            beside = self._columns(self.source.by_others(case), reports, reports.points, reports.row)
        stations = reports.stations(beside).each(lambda part: part.to(device))
        encoded = self.network.encoder(
            inputs.to(device), tokens.each(lambda part: part.to(device)), stations, here.coarsen(self.patch)
        )
        return TransformerAnswer(case, self, reports, stations, encoded)


def build_vit(settings: Mapping[str, object], where: str, **own: object) -> TransformerMethod:
    """A vision transformer with its first weights.

    Args:
        settings: by key; where: for messages; own: settings that the method's name implies.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(TransformerMethod, TransformerSettings, {**settings, **own}, where)
