#!/usr/bin/env bash
# Start the ranks of a job:  bash hpc/launch.sh COMMAND [ARGUMENT ...]
#
#   MLRTMA_LAUNCHER          srun | mpiexec | none; without it srun in a Slurm job, else none
#   MLRTMA_MPI_PLUGIN        of srun --mpi=, pmix by default
#   MLRTMA_LAUNCHER_OPTIONS  further arguments of srun or mpiexec
#   MLRTMA_RANKS             for mpiexec; without it Slurm's number of tasks, else 1
#   MLRTMA_GPUS_PER_NODE     0: none; a rank sees only the GPU of its local rank
#
# SIGUSR1, SIGTERM and SIGINT go on to the ranks. The exit code is the ranks': 0, or the highest that is not.
set -u

# Run a command, "forward" signals to it or "outlive" them, and return its exit code, not that of an interrupted wait.
supervise() {
    local signals=$1 child code last signal
    shift
    "$@" &
    child=$!
    # Bash lets background children ignore SIGINT, so that an interrupt goes on as SIGTERM.
    for signal in USR1 TERM INT; do
        if [ "$signals" = forward ]; then trap "kill -${signal/INT/TERM} $child 2>/dev/null" $signal; else trap : $signal; fi
    done
    wait "$child" 2>/dev/null; code=$?
    while kill -0 "$child" 2>/dev/null; do wait "$child" 2>/dev/null; code=$?; done
    # It may have ended between an interrupted wait and kill: Bash still knows how, unless the first wait was not interrupted.
    wait "$child" 2>/dev/null; last=$?
    [ "$last" -eq 127 ] || code=$last
    return "$code"
}

rank() {
    local local_rank=${SLURM_LOCALID:-${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-0}}}
    local number=${PMIX_RANK:-${OMPI_COMM_WORLD_RANK:-${SLURM_PROCID:-0}}}
    local gpus=${MLRTMA_GPUS_PER_NODE:-0} visible
    if [ "$gpus" -gt 0 ]; then
        # Slurm names the GPUs that it lent to this job; elsewhere they are the first ones of the node.
        IFS=, read -ra visible <<<"${CUDA_VISIBLE_DEVICES:-$(seq -s, 0 $((gpus - 1)))}"
        export CUDA_VISIBLE_DEVICES=${visible[$((local_rank % ${#visible[@]}))]}
    fi
    # srun and mpiexec signal this shell's whole process group: the program has the signal already, the shell must outlive it
    # to say how the program ended. The first rank to fall is named here; launchers name those that fall with it, too.
    supervise outlive "$@"
    local code=$?
    if [ "$code" -gt 128 ]; then
        echo "rank $number on ${SLURMD_NODENAME:-$(uname -n)} was ended by signal $((code - 128))" >&2
    elif [ "$code" -ne 0 ]; then
        echo "rank $number on ${SLURMD_NODENAME:-$(uname -n)} ended with exit code $code" >&2
    fi
    exit "$code"
}

if [ "${1:-}" = --rank ]; then shift; rank "$@"; fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
launcher=${MLRTMA_LAUNCHER:-$([ -n "${SLURM_JOB_ID:-}" ] && echo srun || echo none)}
ranks=${MLRTMA_RANKS:-${SLURM_NTASKS:-1}}
read -ra options <<<"${MLRTMA_LAUNCHER_OPTIONS:-}"
# By hand nobody names --cpus-per-task: the ranks of a node then share all that Slurm lent of it.
cpus=${SLURM_CPUS_PER_TASK:-$((${SLURM_CPUS_ON_NODE:-1} / ${SLURM_NTASKS_PER_NODE:-1}))}
cpus=$((cpus > 0 ? cpus : 1))
[ -n "${SLURM_JOB_ID:-}" ] && export OMP_NUM_THREADS=$cpus
case $launcher in
    srun)
        # --wait ends the others 30 s after the first rank that ends, whatever its exit code. --kill-on-bad-exit would end them
        # at once, also those that have checkpointed and are about to exit with 75: the job would then seem to have failed.
        # A rank that is killed is noticed by PMIx within a second or two. Since 22.05 srun does not inherit --cpus-per-task.
        start=(srun --mpi="${MLRTMA_MPI_PLUGIN:-pmix}" --wait=30 --kill-on-bad-exit=0
               --cpus-per-task="$cpus" ${options[@]+"${options[@]}"}) ;;
    mpiexec)
        beside=$(dirname "$(command -v "${MLRTMA_PYTHON:-python3}")")/mpiexec  # a wheel's mpiexec belongs to its library
        [ -x "$beside" ] || beside=mpiexec
        start=("$beside" -n "$ranks" ${options[@]+"${options[@]}"})
        [ "$ranks" -gt 1 ] || start=() ;;
    none) start=() ;;
    *) echo "launch.sh: MLRTMA_LAUNCHER: expected srun, mpiexec or none, got $launcher" >&2; exit 2 ;;
esac
if [ ${#start[@]} -eq 0 ]; then
    supervise forward "$@"
else
    supervise forward "${start[@]}" bash "$here/launch.sh" --rank "$@"
fi
