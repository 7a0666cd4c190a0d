# shellcheck shell=bash
# Measurements: tools/bench/README.md.

run_bench() {
    setup_packages bench
    build_tree release coffer cofferd coffer-blobserver coffer-ceiling >&2
    python3 -B tools/bench/measure.py "$@"
}
