"""A partition's limits, asked of Slurm before a job is submitted: one that exceeds them would wait for ever."""

from hpc import slurm
from hpc.machine import Machine, MachineError, Resources, seconds_of

WITHOUT = ("UNLIMITED", "NONE", "(null)")


def check(machine: Machine, verb: str, resources: Resources) -> None:
    """Refuse what Slurm's partition does not take; nothing is refused where Slurm gives no answer.

    Raises:
        MachineError: no such partition, one that takes no jobs, or not this account's; too many nodes, too much time.
    """
    partitions = slurm.partitions() if machine.scheduler == "slurm" else {}
    if not partitions:
        return
    usual = next((name for name, facts in partitions.items() if facts.get("Default") == "YES"), None)
    name = resources.partition or (machine.partitions[0] if machine.partitions else usual)
    if name is None:
        raise MachineError(f"{machine.name}: Slurm has no default partition; name one of {', '.join(partitions)}")
    if name not in partitions:
        raise MachineError(f"{machine.name}: Slurm has no partition {name!r}; it has {', '.join(partitions)}")
    facts, where = partitions[name], f"partition {name} of {machine.name}"
    if facts.get("State") in ("DRAIN", "INACTIVE"):
        raise MachineError(f"{where} takes no jobs, as it is {facts['State']}; Slurm has {', '.join(partitions)}")
    limit = facts.get("MaxTime", "UNLIMITED")
    if limit not in WITHOUT and seconds_of(resources.time) > seconds_of(limit):
        raise MachineError(f"jobs.{verb}.time: {where} ends jobs after {limit} (MaxTime), got {resources.time}")
    for key in ("MaxNodes", "TotalNodes"):
        most = facts.get(key, "UNLIMITED")
        if most.isdecimal() and resources.nodes > int(most):
            raise MachineError(f"jobs.{verb}.nodes: {where} lends at most {most} nodes ({key}), got {resources.nodes}")
    _check_account(machine, facts, where)


def _check_account(machine: Machine, facts: dict[str, str], where: str) -> None:
    allowed, denied = facts.get("AllowAccounts", "ALL"), facts.get("DenyAccounts", "NONE")
    if machine.account is None:  # Slurm then takes the user's default account
        return
    if allowed not in ("ALL", *WITHOUT) and machine.account not in allowed.split(","):
        raise MachineError(f"account: {where} takes the accounts {allowed}, got {machine.account!r}")
    if machine.account in denied.split(","):
        raise MachineError(f"account: {where} does not take {machine.account!r} (DenyAccounts)")
