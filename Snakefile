"""The study, a job for each run of study.yml that has no record yet.

    snakemake --cores all                           this machine
    snakemake --profile profiles/slurm              a cluster
    snakemake --cores all --dry-run                 what there is to do

`--config profile=quick images=drawn only=DCLNN` chooses as `bloodlib study` does. A job is papermill
on a chapter; the executed notebook is left beside the record.
"""

from pathlib import Path

from bloodlib import study
from bloodlib.study import jobs

profile = config.get("profile", "full")
only = [str(config["only"])] if "only" in config else []
grid = {
    study.identify(run): run
    for run in study.grid(profile, config.get("images", "published"), only)
}
records = study.path(next(iter(grid.values()))).parent

# Records are no outputs of a job: Snakemake deletes the outputs of jobs that fail or are killed.
# It gets an empty file in their place, and what is to be done is read from the records alone.
ended = ".snakemake/ended/{id}"
todo = []
for name, run in grid.items():
    if study.is_open(run):
        todo.append(ended.format(id=name))
        Path(todo[-1]).unlink(missing_ok=True)


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
        notebook=f"{records}/{{id}}.ipynb",
    threads: 8
    resources:
        mem_mb=8000,
        runtime=480,  # minutes
    run:
        jobs.run("07_training", grid[wildcards.id], profile, Path(log.notebook))


rule baseline:
    wildcard_constraints:
        id="(?!DCLNN-).+",
    output:
        touch(ended),
    log:
        notebook=f"{records}/{{id}}.ipynb",
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
    run:
        jobs.run("05_measures", grid[wildcards.id], profile, Path(log.notebook))
