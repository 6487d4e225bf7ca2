"""The product of a slot of `mlrtma cycle`: written, named by the link, and noted in the domain's table and costs."""

import numpy as np

from jobs.provenance import names_of, provenance
from mlrtma_dist import config
from mlrtma_dist.inference.cycle_agenda import Work
from mlrtma_dist.inference.cycle_clock import seconds
from mlrtma_dist.inference.cycle_influence import factors_of, write_influence
from mlrtma_dist.inference.cycle_methods import Attempt
from mlrtma_dist.inference.cycle_publications import Publication
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.window import analysed_case
from mlrtma_dist.observations.own_influence import influence_path
from mlrtma_dist.samples.arrivals import ArrivedCases


def publish(
    domain, work: Work, cases: ArrivedCases, case: Case, attempt: Attempt, started: np.datetime64
) -> Publication:
    """Write the product of a slot, let the link name it, and add a row to the table.

    Args:
        domain: the `jobs.cycle_slot.DomainCycle`; work: the slot.
        cases: what had arrived; case: what was analysed; attempt: by what; started: when the slot was begun.

    Raises:
        OSError: the product or the table cannot be written.
    """
    publications = domain.publications
    revision, passed = publications.revision(work.time), "; ".join(attempt.passed_over)
    inputs = cases.inputs
    networks = {trained.name: trained for trained in attempt.networks}
    attributes = provenance(config.to_yaml(domain.run), domain.section, networks) | {
        "revision": revision,
        "methods_passed_over": passed or "none",
        "observations_until": f"{str(cases.until if cases.until is not None else started)[:19]}Z",
        "observation_files": names_of(inputs.reports),
        "files_left_out": "; ".join(cases.unreadable) or "none",
        "background_files": names_of(inputs.background),
        "error_factors": factors_of(attempt),
    }
    folder = publications.path(work.time).parent
    if domain.run.grib2:
        write_product_grib(attempt.analysis, folder)
    if domain.run.background == "archive":
        influence_path(publications.path(work.time)).unlink(missing_ok=True)  # of a run before, of another product
    else:
        write_influence(publications.path(work.time), case, attempt, cases.influence_on_guess)
    write_product(attempt.analysis, folder, attributes)
    publications.point(work.time)
    published = domain.clock.now()
    publication = Publication(
        domain=domain.name,
        time=work.time.astype("datetime64[s]"),
        revision=revision,
        method=attempt.choice.name,
        passed_over=passed,
        weights=str(attempt.networks[0].folder) if attempt.networks else "",
        values=cases.count,
        used=int(np.count_nonzero(analysed_case(case, attempt.answer).used)),
        started=started,
        published=published,
        latency=round(seconds(published - work.cutoff), 3),
        cost=round(seconds(published - started), 3),
    )
    publications.add(publication)
    domain.costs.add(domain.name, attempt.choice.name, publication.cost, published)
    return publication
