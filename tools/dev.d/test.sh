# The tests: the sanitizer tree first, the release tree last, so that its summary ends the run.

run_module_contract() {
    build_tree release
    build/tests/token_contract_test "$@"
}

run_tests() {
    setup_packages test
    if [ "${1:-}" = --module ]; then
        run_module_contract "$@"
        return
    fi
    case "$*" in *unit*) ;; *) setup_node ;; esac
    export AZURITE=$ROOT/build/node/node_modules/.bin/azurite-blob
    if [ $# -eq 0 ]; then
        build_tree asan
        ASAN_OPTIONS=detect_leaks=1 ctest --test-dir build/asan --output-on-failure --no-tests=error -j2 \
            -L 'unit|contract|fault'
    fi
    build_tree release
    ctest --test-dir build --output-on-failure --no-tests=error -j2 "$@"
}
