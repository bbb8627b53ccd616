#!/usr/bin/env bash
# Submit a job script and print nothing but the job's id.
#   submit.sh THREADS MEMORY_MB MINUTES GPUS JOBSCRIPT
# CHANGE what your cluster calls its parallel environment (SGE), its GPUs and its queues; SUBMIT_EXTRA
# is added to every submission, such as "-q long" or "-P project".
set -euo pipefail
source "$(dirname "$0")/system.sh"

threads=$1 memory=$2 minutes=$3 gpus=$4 script=$5
mkdir -p .snakemake/cluster-logs
logs=$PWD/.snakemake/cluster-logs
limit=$(printf '%02d:%02d' $((minutes / 60)) $((minutes % 60)))
read -ra extra <<<"${SUBMIT_EXTRA:-}"

case $CLUSTER_SYSTEM in
  sge)
    # h_vmem counts per slot.
    arguments=(-terse -V -cwd -S /bin/bash -j y -o "$logs" -l "h_rt=$limit:00"
      -l "h_vmem=$(((memory + threads - 1) / threads))M")
    if ((threads > 1)); then arguments+=(-pe smp "$threads"); fi
    if ((gpus > 0)); then arguments+=(-l "gpu=$gpus"); fi
    qsub "${arguments[@]}" "${extra[@]}" "$script"
    ;;
  lsf)
    arguments=(-n "$threads" -R "span[hosts=1]" -M "${memory}MB" -R "rusage[mem=${memory}MB]"
      -W "$limit" -o "$logs/%J.log")
    if ((gpus > 0)); then arguments+=(-gpu "num=$gpus"); fi
    # Job <123> is submitted to queue <normal>.
    bsub "${arguments[@]}" "${extra[@]}" <"$script" | sed -E 's/^Job <([0-9]+)>.*/\1/'
    ;;
  pbs)
    select="select=1:ncpus=$threads:mem=${memory}mb"
    if ((gpus > 0)); then select+=":ngpus=$gpus"; fi
    qsub -V -j oe -o "$logs" -l "$select" -l "walltime=$limit:00" "${extra[@]}" "$script"
    ;;
  *)
    echo "CLUSTER_SYSTEM is '$CLUSTER_SYSTEM'; write sge, lsf or pbs" >&2
    exit 2
    ;;
esac
