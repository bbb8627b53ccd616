"""What significance, tables and the report read, worked out from the configuration."""

from mluke_core.reporting import plan

# Probes of the run that keep vectors, and the systems whose vectors are drawn side by side.
EMBEDDED = [
    probe for probe in ("cwr", "modularity") if any(probe in tests_of(table) for table in TABLES)
]
PROBED = [name for name in SYSTEMS if is_luke(name)] or list(SYSTEMS)


def tested_files(table, tests, pattern):
    """`system/test=path` arguments for the systems of a table's pairs."""
    pairs = plan.significance_pairs(CONFIG, table)
    systems = dict.fromkeys(name for pair in pairs for name in pair.values())
    return [
        f"{system}/{test}={pattern.format(system=system, test=test)}"
        for system in systems
        for test in tests
    ]


def tested_tasks(table):
    return [test for test in tests_of(table) if test in TASK_OF and is_active(test)]


def significance_arguments(table):
    """Option of the step `significance` -> its arguments."""
    tasks = tested_tasks(table)
    answered = tasks + [test for test in tests_of(table) if test == "mlama"]
    embedded = [test for test in tests_of(table) if test == "cwr"]
    sources = sorted({name for test in tasks for name in plan.gold_sources(CONFIG, test)})
    coverage = f"{R}/predictions/{{system}}/{{test}}.coverage.json"
    return {
        "scores": tested_files(table, tasks, f"{R}/scores/{{system}}/{{test}}.json"),
        "predictions": tested_files(
            table, answered, f"{R}/predictions/{{system}}/{{test}}.parquet"
        ),
        "coverage": tested_files(table, tasks, coverage),
        "features": tested_files(table, embedded, f"{R}/features/{{system}}/{{test}}.npz"),
        "sources": source_arguments(sources),
    }


def significance_settings(table):
    return settings(
        name=table,
        table=plan.table_layout(CONFIG, table),
        pairs=plan.significance_pairs(CONFIG, table),
        columns={test: plan.test_columns(CONFIG, test) for test in tests_of(table)},
        tests={test: plan.scoring_settings(CONFIG, test) for test in tested_tasks(table)},
        seed=CONFIG["seed"],
    )
