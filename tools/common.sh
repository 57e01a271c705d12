# What the scripts of this folder share; sourced with $root set to the checkout.

say() { printf 'clmnet: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Compilers that may run at once: as many as cores, and 2 GiB of memory each (LibTorch's headers need it).
build_jobs() {
  local cores memory_gib
  cores=$(nproc)
  memory_gib=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  local by_memory=$((memory_gib / 2))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

# configure PRESET [-DNAME=VALUE ...]: quiet unless it fails.
configure() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if ! (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "configuring the build failed, see above; if a library is missing, run tools/setup"
  fi
  rm -f "$log"
}

# build [TARGET]: all, or one target, of the release preset unless $preset says another.
build() {
  local folder=$root/.build/${preset:-release}
  cmake --build "$folder" -j "$(build_jobs)" ${1:+--target "$1"} >&2 || die "the build in $folder failed, see above"
}
