# shellcheck shell=bash disable=SC2154 # PACKAGES_peers: setup.sh
# Measurements: tools/bench/README.md.

# What cannot be had is left out of the comparison, not a reason to stop.
setup_peers() {
    local PACKAGES_peer
    for PACKAGES_peer in $PACKAGES_peers; do
        setup_packages peer || echo "tools/dev bench: goes on without $PACKAGES_peer"
    done
}

run_bench() {
    case " $* " in *' --help '* | *' -h '*)
        python3 -B tools/bench/measure.py --help
        return
        ;;
    esac
    { setup_packages bench && setup_peers; } >&2
    build_tree release coffer cofferd coffer-blobserver coffer-ceiling coffer-load coffer-token-rate coffer-seed \
        run_measure run_measure_mbedtls >&2
    python3 -B tools/bench/measure.py "$@"
}
