"""Runs the tests: `python -m harness --truefill PATH --editors DIR`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cases import Case, Skipped, Test, collect

HERE = Path(__file__).resolve().parents[1]


def run_one(test: Test, setup: tuple[str, str], options: argparse.Namespace) -> tuple[str, str, str]:
    """The run's name, how it ended, and what there is to say of it."""
    version, ghost = setup
    nvim = options.editors / f"nvim-{version}" / "nvim"
    case = Case(nvim=nvim, version=version, ghost=ghost, truefill=options.truefill, plugins=options.plugins)
    begun, ended, problem = time.monotonic(), "ok", ""
    try:
        test.run(case)
    except Skipped as reason:
        ended, problem = "skip", str(reason)
    except BaseException:  # noqa: BLE001: every failure is reported
        ended, problem = "FAIL", traceback.format_exc() + case.state()
    finally:
        case.close(keep=ended == "FAIL" and options.keep)
    name = f"{test.name} [{version} {ghost}]"
    print(f"{ended:4} {time.monotonic() - begun:5.1f} s  {name}", flush=True)
    return name, ended, problem


def main() -> int:
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--truefill", type=Path, required=True, help="the program to test with")
    parser.add_argument("--editors", type=Path, required=True, help="where the editors are installed")
    parser.add_argument("--nvim", choices=["0.11", "0.12", "all"], default="all")
    parser.add_argument("--only", default="", help="tests whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--plugins", type=Path, help="a folder with other plugins, a folder each")
    parser.add_argument("--keep", action="store_true", help="keep the homes of tests that fail")
    options = parser.parse_args()
    runs = [
        (test, setup)
        for test in collect(HERE)
        for setup in test.setups
        if options.nvim in ("all", setup[0]) and options.only in f"{test.name} [{' '.join(setup)}]"
    ]
    if not runs:
        print(f"no test is called so: `{options.only}`", file=sys.stderr)
        return 1
    begun = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        done = list(pool.map(lambda run: run_one(*run, options), runs))
    return summed_up(done, time.monotonic() - begun)


def summed_up(done: list[tuple[str, str, str]], seconds: float) -> int:
    """Tells what came of all tests; the exit status."""
    failed = [(name, problem) for name, ended, problem in done if ended == "FAIL"]
    for name, problem in failed:
        print(f"\n{name}\n{problem}")
    skipped = [problem for _, ended, problem in done if ended == "skip"]
    for reason in sorted(set(skipped)):
        print(f"{skipped.count(reason)} skipped: {reason}")
    print(f"{len(done) - len(failed) - len(skipped)} of {len(done)} passed in {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
