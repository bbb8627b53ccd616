#!/usr/bin/env bash
# Take jobs out of the queue.
#   cancel.sh JOB...
set -euo pipefail
source "$(dirname "$0")/system.sh"

if [[ $CLUSTER_SYSTEM == lsf ]]; then
  bkill "$@"
else
  qdel "$@"
fi
