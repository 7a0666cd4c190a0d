# shellcheck shell=bash
# tools/dev campaign: long random runs against one promise each; the seed that is printed repeats a run.

campaign_usage() {
    cat <<'TEXT'
usage: tools/dev campaign [kills|faults|soak|damages|clean|all] [--count N] [--seed S]

  kills     backups and restores with a storage that misbehaves at random, cofferd killed at random moments (300)
  faults    the same without kills (300)
  soak      every kind of job in random mixtures of all faults the blob server plays, without the daemon (300)
  damages   random damages of stored backups, each to be refused by verify and by restore (2000)
  clean     backups that nobody touched, each to verify and to restore the same state (200)

Prints the seed, progress, every violation and a last line with counts. Exit code 1: there was a violation.
TEXT
}

run_campaign() {
    local what=all count='' seed=''
    while [ $# -gt 0 ]; do
        case "$1" in
        kills | faults | soak | damages | clean | all) what=$1 ;;
        --count) count=${2:?--count N} && shift ;;
        --seed) seed=${2:?--seed S} && shift ;;
        -h | --help) campaign_usage && return ;;
        *) campaign_usage >&2 && return 2 ;;
        esac
        shift
    done
    setup_packages build >&2
    build_tree release coffer cofferd coffer-blobserver campaign_damages run_soak_test >&2
    local kinds=("$what") kind failed=0
    if [ "$what" = all ]; then kinds=(damages clean soak faults kills); fi
    for kind in "${kinds[@]}"; do
        case "$kind" in
        damages) build/tests/campaign_damages --damages "${count:-2000}" --clean 0 ${seed:+--seed "$seed"} || failed=1 ;;
        clean) build/tests/campaign_damages --damages 0 --clean "${count:-200}" ${seed:+--seed "$seed"} || failed=1 ;;
        soak) env COFFER_ROUNDS="${count:-300}" ${seed:+COFFER_SEED="$seed"} build/tests/run_soak_test || failed=1 ;;
        *) /usr/bin/python3 -B tests/campaign/kills.py "$kind" --count "${count:-300}" ${seed:+--seed "$seed"} || failed=1 ;;
        esac
    done
    return "$failed"
}
