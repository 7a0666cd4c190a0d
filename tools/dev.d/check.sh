# Everything CI does and more: style, lint, other compiler, other sanitizer, analysers, fuzzers.

CLANG_FORMAT=clang-format-14

run_fmt() {
    setup_packages check
    if [ "${1:-}" = --all ]; then
        git ls-files '*.c' '*.h' | xargs $CLANG_FORMAT -i
    else
        git diff --name-only --diff-filter=d "${1:-HEAD}" -- '*.c' '*.h' | xargs -r $CLANG_FORMAT -i
    fi
}

run_lint() {
    local failed=0
    for rule in layers banned budget readme rest words; do
        tools/lint/$rule || failed=1
    done
    if command -v shellcheck >/dev/null; then
        shellcheck -S warning -s bash tools/dev tools/dev.d/*.sh .ci/run || failed=1
    fi
    [ $failed = 0 ] && echo "lint: clean"
    return $failed
}

run_fuzz() {
    setup_packages check
    local target=${1:-} seconds=${2:-60}
    cmake -C tools/cmake/clang.cmake -B build/fuzz -G Ninja -DCF_FUZZ=ON -DCF_SANITIZE=address,undefined >build/fuzz-build.log 2>&1 &&
        cmake --build build/fuzz --target fuzzers >>build/fuzz-build.log 2>&1 || {
        tail -20 build/fuzz-build.log >&2
        return 1
    }
    for fuzzer in build/fuzz/fuzz/fuzz_*; do
        [ -x "$fuzzer" ] || continue
        local name=${fuzzer##*/fuzz_}
        [ -n "$target" ] && [ "$target" != "$name" ] && continue
        local corpus=("build/fuzz/corpus/$name")
        mkdir -p "${corpus[0]}"
        [ -d "tests/fuzz/corpus/$name" ] && corpus+=("tests/fuzz/corpus/$name")
        echo "fuzzing $name for ${seconds} s"
        "$fuzzer" -max_total_time="$seconds" -print_final_stats=0 -verbosity=0 -artifact_prefix="build/fuzz/" "${corpus[@]}"
    done
}

run_check() {
    setup_packages check
    run_lint
    git ls-files '*.c' '*.h' | xargs $CLANG_FORMAT --dry-run -Werror
    run_tests
    build_tree clang
    ctest --test-dir build/clang -L 'unit|contract' --output-on-failure -j2
    build_tree tsan
    TSAN_OPTIONS=halt_on_error=1 ctest --test-dir build/tsan -L 'unit|contract|fault' --output-on-failure -j2
    git ls-files 'hal/*.c' 'firmware/*.c' 'pkcs11/*.c' 'boards/bench/*.c' 'tools/*.c' | xargs -P2 -n8 clang-tidy-14 -p build/clang --quiet
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list=tools/lint/cppcheck.suppress --project=build/clang/compile_commands.json
    run_fuzz "" 10
}
