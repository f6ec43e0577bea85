#!/bin/sh
# install.sh - installs what keyway needs and this machine lacks, from the system's own packages.
#
#   deps/install.sh [build|run|test|bench]     (default: build)
#
# build  the compiler and the libraries          run    and redis, for `make run`
# test   and what `make test` uses               bench  and the proxies keyway is measured against
#
# Prints nothing and touches nothing when all is there. A thing is looked for by what it gives (a
# command, a header), not by a package's name, so what was installed by hand counts. Services that
# a package brings along are not started. See README.md for why each of these was chosen.
set -eu

main() {
    kind=${1:-build}
    case $kind in
        build | run | test | bench) ;;
        *) die "usage: deps/install.sh [build|run|test|bench]" ;;
    esac
    # Twice, because what one compiler version needs beside it is known only when it is there.
    missing=$(missing_for "$kind")
    [ -n "$missing" ] || return 0
    install_things "$missing"
    missing=$(missing_for "$kind")
    [ -n "$missing" ] || return 0
    install_things "$missing"
    missing=$(missing_for "$kind")
    [ -z "$missing" ] || die "installed, but still not found: $(echo $missing)"
}

die() {
    echo "deps/install.sh: $*" >&2
    exit 1
}

# ---- what is needed, and how to see that it is there --------------------------------------------

missing_for() {
    need gcc has_command gcc
    need make has_command make
    need libc has_header stdio.h
    need libevent has_header event2/event.h
    need hiredis has_header hiredis/hiredis.h
    need jemalloc has_header jemalloc/jemalloc.h
    need xxhash has_header xxhash.h
    need liburing has_header liburing.h
    need lzf has_header liblzf/lzf.h
    need isa-l has_header isa-l/crc64.h
    [ "$1" != build ] || return 0
    need redis-server has_command redis-server
    need redis-tools has_command redis-cli redis-benchmark
    need python3 has_file /usr/bin/python3
    case $1 in
        test)
            need cmocka has_header cmocka.h
            need clang has_command clang
            need clang-format has_command clang-format
            need clang-runtime has_clang_runtime
            need python3-redis has_python_module redis
            need nodejs has_command node
            need npm has_command npm
            ;;
        bench)
            need nutcracker has_command nutcracker
            need haproxy has_command haproxy
            need memcached has_command memcached
            ;;
    esac
}

need() {
    thing=$1
    shift
    "$@" || echo "$thing"
}

has_command() {
    for command in "$@"; do
        PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$command" >/dev/null 2>&1 || return 1
    done
}

has_header() {
    for folder in /usr/include /usr/include/*-linux-* /usr/local/include /opt/homebrew/include; do
        [ ! -e "$folder/$1" ] || return 0
    done
    return 1
}

has_file() {
    [ -e "$1" ]
}

has_python_module() {
    /usr/bin/python3 -c "import $1" >/dev/null 2>&1
}

# The fuzzers need libFuzzer and the sanitizers' libraries for this very version of clang.
has_clang_runtime() {
    has_command clang || return 0 # looked at again once clang is there
    folder=$(clang -print-resource-dir 2>/dev/null) || return 1
    [ -n "$(find "$folder/lib/" -name 'libclang_rt.fuzzer*' 2>/dev/null)" ]
}

# ---- the packages it is in ----------------------------------------------------------------------

# package_of MANAGER THING: the package's name; nothing where the system has it anyway.
package_of() {
    case $1:$2 in
        apt:libc) echo libc6-dev ;;
        apt:libevent) echo libevent-dev ;;
        apt:hiredis) echo libhiredis-dev ;;
        apt:jemalloc) echo libjemalloc-dev ;;
        apt:liburing) echo liburing-dev ;;
        apt:xxhash) echo libxxhash-dev ;;
        apt:lzf) echo liblzf-dev ;;
        apt:isa-l) echo libisal-dev ;;
        apt:cmocka) echo libcmocka-dev ;;
        apt:clang-runtime) echo "libclang-rt-$(clang_major)-dev" ;;
        dnf:libc) echo glibc-devel ;;
        dnf:libevent) echo libevent-devel ;;
        dnf:hiredis) echo hiredis-devel ;;
        dnf:jemalloc) echo jemalloc-devel ;;
        dnf:liburing) echo liburing-devel ;;
        dnf:xxhash) echo xxhash-devel ;;
        dnf:lzf) echo liblzf-devel ;;
        dnf:isa-l) echo isa-l-devel ;;
        dnf:cmocka) echo libcmocka-devel ;;
        dnf:clang-format) echo clang-tools-extra ;;
        dnf:clang-runtime) echo compiler-rt ;;
        dnf:redis-server | dnf:redis-tools) echo redis ;;
        dnf:nutcracker) echo twemproxy ;;
        apk:libc) echo musl-dev ;;
        apk:libevent) echo libevent-dev ;;
        apk:hiredis) echo hiredis-dev ;;
        apk:jemalloc) echo jemalloc-dev ;;
        apk:liburing) echo liburing-dev ;;
        apk:xxhash) echo xxhash-dev ;;
        apk:lzf) echo liblzf-dev ;;
        apk:isa-l) echo isa-l-dev ;;
        apk:cmocka) echo cmocka-dev ;;
        apk:clang-format) echo clang-extra-tools ;;
        apk:clang-runtime) echo compiler-rt ;;
        apk:redis-server | apk:redis-tools) echo redis ;;
        apk:python3-redis) echo py3-redis ;;
        pacman:libc) echo glibc ;;
        pacman:lzf) echo liblzf ;;
        pacman:clang-format) echo clang ;;
        pacman:clang-runtime) echo compiler-rt ;;
        pacman:redis-server | pacman:redis-tools) echo redis ;;
        pacman:python3) echo python ;;
        pacman:python3-redis) echo python-redis ;;
        brew:libc) ;;
        brew:clang | brew:clang-runtime) echo llvm ;;
        brew:redis-server | brew:redis-tools) echo redis ;;
        brew:python3-redis) ;;
        brew:nodejs | brew:npm) echo node ;;
        *) echo "$2" ;;
    esac
}

clang_major() {
    clang -dumpversion | cut -d. -f1
}

# ---- installing ---------------------------------------------------------------------------------

install_things() {
    for manager in apt-get dnf apk pacman brew; do
        has_command $manager || continue
        packages=$(for thing in $1; do package_of ${manager%-get} "$thing"; done | sort -u)
        [ -n "$packages" ] || die "no $manager package is known for: $(echo $1)"
        echo "deps/install.sh: installing with $manager:" $packages
        install_with_"${manager%-get}" $packages
        return
    done
    die "no package manager known here (apt-get, dnf, apk, pacman, brew); please install:" \
        "$(echo $1)"
}

install_with_apt() {
    hold_services
    as_root apt-get -qq -y update || true # one stale source is no reason to stop: the install says
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >/dev/null
    release_services
    keep_disabled "$@"
}

install_with_dnf() {
    as_root dnf -q -y install "$@"
}

install_with_apk() {
    as_root apk add --no-cache "$@"
}

install_with_pacman() {
    as_root pacman -S --noconfirm --needed "$@"
}

install_with_brew() {
    brew install "$@"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has_command sudo; then
        sudo "$@"
    else
        die "neither root nor sudo here; please run as root: $*"
    fi
}

# Debian starts a service as its package is installed, unless policy-rc.d says no: a redis that
# we never asked for would sit on the port that keyway wants.
policy=/usr/sbin/policy-rc.d

hold_services() {
    held=no
    [ ! -e $policy ] || return 0
    held=yes
    trap release_services EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
}

release_services() {
    [ "$held" = yes ] || return 0
    held=no
    as_root rm -f $policy
}

# Nor should it come up at the next boot. Only for packages that this run brought.
keep_disabled() {
    [ -d /run/systemd/system ] || return 0
    for package in "$@"; do
        case $package in
            redis-server | nutcracker | haproxy | memcached)
                as_root systemctl disable --quiet "$package" 2>/dev/null || true ;;
        esac
    done
}

main "$@"
