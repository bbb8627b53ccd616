# Which scheduler is here: lsf, sge or pbs. Sourced by the other scripts; CLUSTER_SYSTEM overrides.
if [[ -z ${CLUSTER_SYSTEM:-} ]]; then
  if command -v bsub >/dev/null; then
    CLUSTER_SYSTEM=lsf
  elif command -v qacct >/dev/null; then
    CLUSTER_SYSTEM=sge
  elif command -v qsub >/dev/null; then
    CLUSTER_SYSTEM=pbs
  else
    echo "no bsub or qsub here: start this where jobs are submitted" >&2
    exit 2
  fi
fi
