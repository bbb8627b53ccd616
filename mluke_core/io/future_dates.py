"""Files dated in the future, as a clock that was set back leaves them.

Snakemake deletes what a job has made when one of the job's inputs is dated later, because it would
make it again at every start. No later start would get any further until the clock has caught up.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

log = logging.getLogger("mluke")


def date_back_to_now(folder: Path) -> int:
    """Give every file under ``folder`` that is dated in the future today's date; returns how many.

    Their order stays, so what is older than its input is still made again.
    """
    now = time.time_ns()
    late = [
        (path.lstat().st_mtime_ns, path)
        for path in folder.rglob("*")
        if path.lstat().st_mtime_ns > now
    ]
    for place, (_, path) in enumerate(sorted(late)):
        moment = now - 1000 * (len(late) - place)
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
    if late:
        log.warning(
            "%s: %d files were dated in the future and are dated now: was the clock set back?",
            folder,
            len(late),
        )
    return len(late)
