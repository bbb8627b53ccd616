"""What a run will cost, worked out before anything starts.

``python -m mluke_core.planning`` takes the arguments of ``snakemake`` and prints the plan. This
package alone knows the workflow's rules by name: it reads Snakemake's dry run, so that what is
planned is what would be done.
"""
