# shellcheck shell=bash disable=SC2034 # read through ${!name}
# What each purpose needs from Debian and npm, installed only when missing.

PACKAGES_build="build-essential cmake ninja-build pkg-config ccache libcurl4-openssl-dev libssl-dev libmbedtls-dev
    libcjson-dev libsqlcipher-dev libp11-kit-dev libmicrohttpd-dev libgnutls28-dev libconfig-dev libexpat1-dev
    libsystemd-dev libcmocka-dev softhsm2 opensc ca-certificates"
PACKAGES_quickstart="$PACKAGES_build python3"
PACKAGES_test="$PACKAGES_build python3 python3-cryptography python3-cbor2 python3-azure python3-requests curl openssl
    nodejs libnss3 netcat-openbsd"
PACKAGES_check="$PACKAGES_test clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14 cppcheck shellcheck"
PACKAGES_node="npm"
PACKAGES_bench="$PACKAGES_build python3 openssl curl"
PACKAGES_peers="rclone restic age"

# Node packages of the system tests, at the versions they were written for; no lock file, so that no registry is named.
NODE_PACKAGES="azurite@3.35.0 @azure/keyvault-keys@4.10.2 @azure/identity@4.13.0 @azure/storage-blob@12.32.0"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" || sudo "$@"; fi
}

# setup_packages build|quickstart|test|check|node|bench|peer
setup_packages() {
    local name="PACKAGES_$1" missing=()
    for package in ${!name}; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
    mkdir -p build
    as_root apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >build/apt.log 2>&1 || {
        tail -5 build/apt.log >&2
        echo "tools/dev: apt could not install them; see build/apt.log" >&2
        return 1
    }
}

# Azurite and the JavaScript SDK under build/node.
setup_node() {
    local dir=build/node want
    want=$(echo "$NODE_PACKAGES" | sha256sum)
    [ "$(cat $dir/.installed 2>/dev/null)" = "$want" ] && return 0
    mkdir -p $dir
    command -v npm >/dev/null || setup_packages node # Node.js of other makers brings its own npm
    echo "installing from npm: $NODE_PACKAGES"
    # shellcheck disable=SC2086
    npm install --prefix $dir --no-package-lock --no-audit --no-fund --loglevel=error $NODE_PACKAGES
    echo "$want" >$dir/.installed
}
