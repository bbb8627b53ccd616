#!/usr/bin/env bash
# Start a step once per process: alone, on one machine, or under Slurm on several.
#
#   launch.sh NODES PROCESSES_PER_NODE CPUS_PER_PROCESS PYTHON SCRIPT ARGUMENTS...
#
# One process runs without any launcher; several on one machine with torchrun; inside a Slurm job
# with srun, one task per process, unless the whole rule is already a task of the job. The script
# finds RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT in its environment.
set -euo pipefail

if [[ $# -lt 5 ]]; then
  echo "usage: launch.sh NODES PROCESSES_PER_NODE CPUS_PER_PROCESS PYTHON SCRIPT ARGUMENTS..." >&2
  exit 2
fi
nodes=$1 per_node=$2 cpus=$3
shift 3
total=$((nodes * per_node))
export OMP_NUM_THREADS=$cpus

if [[ $total -eq 1 ]]; then
  exec "$@"
fi

# Snakemake's Slurm executor runs a rule in the batch script if the rule has the resource `mpi`, and
# else with srun, as a task that holds all of the job: a second srun would wait for it for ever.
if [[ -z ${SLURM_JOB_ID:-} || -n ${SLURM_STEP_ID:-} ]]; then
  if [[ $nodes -gt 1 ]]; then
    echo "launch.sh: $nodes nodes need a cluster: run with --profile profiles/slurm, where the rule" \
      "needs mpi and tasks_per_node in set-resources, or set nodes to 1" >&2
    exit 2
  fi
  # Without it torchrun's own store shares a port with the workers', and a restart may hang on it.
  export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
  # Seconds that processes have to write a checkpoint after SIGTERM; torchrun's own limit is 30.
  export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
  python=$1
  shift
  # "--": it would take the script's --log for one of its own options otherwise.
  exec "$python" -m torch.distributed.run --standalone --nproc-per-node="$per_node" -- "$@"
fi

# Snakemake's Slurm executor drops SLURM_* from the rule's shell, so what every task needs to know
# is worked out inside srun, where they are set.
# shellcheck disable=SC2016 # the task's shell expands them
task='
  first=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
  address=$(scontrol show node "$first" | grep -o "NodeAddr=[^ ]*" | cut -d= -f2)
  # Below 32768, where Linux starts to give ports away to whoever asks for any.
  export MASTER_ADDR=${address:-$first} MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))
  export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID
  export LOCAL_WORLD_SIZE=$1
  shift
  exec "$@"'
exec srun --nodes="$nodes" --ntasks="$total" --ntasks-per-node="$per_node" \
  --cpus-per-task="$cpus" --kill-on-bad-exit=1 bash -c "$task" launch "$per_node" "$@"
