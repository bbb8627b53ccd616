#!/usr/bin/env bash
# Print running, success or failed for one job.
#   status.sh JOB
# A job that neither the queue nor the accounting knows yet counts as running: accounting lags.
set -uo pipefail
source "$(dirname "$0")/system.sh"

job=$1
case $CLUSTER_SYSTEM in
  sge)
    if qstat -j "$job" >/dev/null 2>&1; then
      # Eqw: the scheduler could not start it, and will not try again by itself.
      if qstat 2>/dev/null | awk -v job="$job" '$1 == job && $5 ~ /E/ {found = 1} END {exit !found}'; then
        echo failed
      else
        echo running
      fi
    elif record=$(qacct -j "$job" 2>/dev/null); then
      if awk '$1 == "exit_status" {status = $2} $1 == "failed" {failure = $2}
          END {exit !(status == 0 && failure == 0)}' <<<"$record"; then
        echo success
      else
        echo failed
      fi
    else
      echo running
    fi
    ;;
  lsf)
    case $(bjobs -a -noheader -o stat "$job" 2>/dev/null) in
      DONE) echo success ;;
      EXIT | ZOMBI) echo failed ;;
      *) echo running ;;
    esac
    ;;
  pbs)
    record=$(qstat -x -f "$job" 2>/dev/null)
    state=$(sed -n 's/^ *job_state = //p' <<<"$record")
    code=$(sed -nE 's/^ *[Ee]xit_status = //p' <<<"$record")
    if [[ $state == [FC] ]]; then
      if [[ $code == 0 ]]; then echo success; else echo failed; fi
    else
      echo running
    fi
    ;;
esac
