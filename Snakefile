"""The study, a job for each run of study.yml that has no record yet.

    snakemake --cores all                           this machine
    snakemake --profile profiles/slurm              a cluster
    snakemake --cores all --dry-run                 what there is to do

`--config profile=quick images=drawn only=DCLNN` chooses as `bloodlib study` does. A job is
`bloodlib study --only ID`; what it prints is left beside the record. Records are named by their
settings: those of several machines are put together by copying their files into one folder.
"""

import sys
from pathlib import Path

from bloodlib import study

profile, images = config.get("profile", "full"), config.get("images", "published")
only = [str(config["only"])] if "only" in config else []
grid = {study.identify(run): run for run in study.grid(profile, images, only)}
records = study.path(next(iter(grid.values()))).parent

# Records are no outputs of a job: Snakemake deletes the outputs of jobs that fail or are killed.
# It gets an empty file in their place, and what is to be done is read from the records alone.
ended = ".snakemake/ended/{id}"
todo = []
for name, run in grid.items():
    if study.is_open(run):
        todo.append(ended.format(id=name))
        Path(todo[-1]).unlink(missing_ok=True)

command = (
    f"{sys.executable} -m bloodlib.cli study --only {{wildcards.id}}"
    f" --profile {profile} --images {images} > {{log}} 2>&1"
)


localrules: all


rule all:
    input:
        todo,


rule train:
    wildcard_constraints:
        id="DCLNN-.+",
    output:
        touch(ended),
    log:
        f"{records}/{{id}}.log",
    threads: 8
    resources:
        mem_mb=8000,
        runtime=480,  # minutes
    shell:
        command


rule baseline:
    wildcard_constraints:
        id="(?!DCLNN-).+",
    output:
        touch(ended),
    log:
        f"{records}/{{id}}.log",
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
    shell:
        command
