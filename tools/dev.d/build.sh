# One tree a configuration: release in build/, the others in build/NAME.

build_dir() {
    if [ "$1" = release ]; then echo build; else echo "build/$1"; fi
}

# build_tree release|dev|asan|tsan|clang [TARGET...]
build_tree() {
    local name=$1 dir log
    shift
    [ -f "tools/cmake/$name.cmake" ] || {
        echo "tools/dev: no such configuration: $name" >&2
        return 2
    }
    dir=$(build_dir "$name")
    log=$dir/build.log
    mkdir -p "$dir"
    { cmake -C "tools/cmake/$name.cmake" -B "$dir" -G Ninja && cmake --build "$dir" ${1+--target "$@"}; } >"$log" 2>&1 || {
        grep -E 'error|warning|FAILED' "$log" | grep -v '^/usr/bin/c' | head -20 >&2
        echo "tools/dev: the $name build failed; all of it: $log" >&2
        return 1
    }
    echo "built $name in $dir"
}
