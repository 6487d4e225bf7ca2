"""What `mlrtma reanalysis --report` and `--audit` do: look at the manifests and products, analyse nothing."""

import time
from pathlib import Path

from jobs.provenance import commit
from jobs.reanalysis_slots import configuration_of, domains_of, slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_manifest import ASIDE
from mlrtma_dist.verification.completeness import audit, sum_scores, survey
from mlrtma_dist.verification.report_reanalysis import headline, write_reanalysis_report

FAULTS = 3  # exit code: products that are not what their manifests say


def write_report_of(run) -> int:
    """Write the report of a `jobs.reanalysis.Run`, and print what is complete; returns the exit code."""
    begin, slots, output = time.monotonic(), slots_of(run), Path(run.output)
    configurations = _configurations(run)
    states = survey(output, slots, configurations)
    print(f"{headline(states)} Manifests were read in {time.monotonic() - begin:.1f} s.", flush=True)
    title = f"Reanalysis, {', '.join(configurations)}, {str(slots.days[0])} to {str(slots.days[-1])}"
    context = {"configuration": config.to_yaml(run), "commit": commit(), "folder": str(output.absolute())}
    sums = sum_scores(output, slots, configurations)
    write_reanalysis_report(Path(run.report), title, slots, states, sums, context)
    print(run.report, flush=True)
    return 0


def audit_products(run) -> int:
    """Hash every product of a `jobs.reanalysis.Run` again, and print those that differ; returns the exit code.

    Slots that were set aside, of each domain the first 200, are printed with their reasons; they are no fault here.
    """
    faults, slots, configurations = 0, slots_of(run), _configurations(run)
    for name, fault in audit(Path(run.output), slots, configurations):
        print(f"{name}: {fault}", flush=True)
        faults += 1
    states = survey(Path(run.output), slots, configurations)
    for name, reason in (row for state in states.values() for row in state.reasons.get(ASIDE, ())):
        print(f"{name}: set aside: {reason}")
    print(headline(states))
    print(f"{faults} products differ from their manifests" if faults else "every product is what its manifest says")
    return FAULTS if faults else 0


def _configurations(run) -> dict[str, str]:
    return {name: configuration_of(run, section) for name, section in domains_of(run).items()}
