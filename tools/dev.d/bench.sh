# shellcheck shell=bash
# Measurements: tools/bench/README.md.

run_bench() {
    setup_packages bench
    build_tree release >&2
    python3 -B tools/bench/measure.py "$@"
}
