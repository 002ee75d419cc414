#!/usr/bin/env bash
# Installs the registry clients that tests/suites/clients drives. A part that cannot be had here is named and left out: its tests skip by name.
#
# Debian's own packages go to the system; newer ones and what Go builds go to target/clients/bin, which the tests look into first.
# Nothing is done twice. The first part needs root.
set -uo pipefail
cd "$(dirname "$0")/../.."
cache="$(realpath -m "${CARGO_TARGET_DIR:-target}")/clients"
export PATH="$PATH:/usr/local/go/bin:/usr/sbin:/sbin"
mkdir -p "$cache/bin" "$cache/log"

REGCTL=github.com/regclient/regclient/cmd/regctl@v0.11.7

has() { command -v "$1" >/dev/null; }
left_out() { echo "left out: $1 (see $cache/log/$2)"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# From the system's own archive.
install_packages() {
  local missing=()
  for pair in skopeo:skopeo umoci:umoci buildah:buildah podman:podman curl:curl dockerd:docker.io ctr:containerd docker-compose:docker-compose zstd:zstd unshare:util-linux go:golang-go; do
    has "${pair%%:*}" || missing+=("${pair##*:}")
  done
  has docker || missing+=(docker.io)
  [ ${#missing[@]} = 0 ] && return
  has apt-get || return
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  # One by one if they cannot all be had, so that one that is missing takes no other with it.
  as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" ||
    for package in "${missing[@]}"; do as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$package"; done
}

# From newer releases in the same archive, unpacked beside the system and not into it.
unpack_newer() {
  [ -x "$cache/bin/oras" ] && [ -x "$cache/bin/crane" ] && [ -x "$cache/bin/docker-compose-v2" ] && return
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg apt="$cache/apt" archive
  archive=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | grep -v snapshot | head -1)
  has apt-get && [ -n "$archive" ] && [ -r "$keys" ] || return
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,debs,unpacked}
  for release in trixie sid; do echo "deb [signed-by=$keys] $archive $release main"; done >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists"; Dir::Cache "$apt/cache"; Dir::State::status "/dev/null";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"; Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Languages "none"; APT::Sandbox::User "root";
CONF
  (
    export APT_CONFIG="$apt/apt.conf"
    apt-get update -qq
    cd "$apt/debs" && apt-get download -qq oras/trixie docker-compose/trixie crane/sid
  )
  for package in "$apt"/debs/*.deb; do dpkg -x "$package" "$apt/unpacked"; done
  cp "$apt"/unpacked/usr/bin/{oras,crane} "$cache/bin/"
  # A plugin of docker that also runs by itself.
  cp "$apt/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$cache/bin/docker-compose-v2"
}

build_with_go() {
  [ -x "$cache/bin/regctl" ] && return
  has go && GOBIN="$cache/bin" go install "$REGCTL"
}

install_packages >"$cache/log/apt" 2>"$cache/log/errors"
build_with_go >"$cache/log/go" 2>&1 &
unpack_newer >"$cache/log/newer" 2>>"$cache/log/errors"
wait
export PATH="$cache/bin:$PATH"
for program in skopeo umoci buildah podman curl dockerd docker docker-compose ctr containerd zstd go; do has $program || left_out $program apt; done
for program in oras crane docker-compose-v2; do has $program || left_out $program newer; done
has regctl || left_out regctl go
exit 0
