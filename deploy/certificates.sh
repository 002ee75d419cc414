#!/usr/bin/env bash
# Makes certificates for trying out compose.tls.yaml: for clients to trust (ca.pem), for gateways (server.*), and for members of the cluster (member.*).
# In production they come from your own authority, and no key is readable by everybody.
#
#   deploy/certificates.sh [DIRECTORY]      deploy/certificates unless said otherwise; what is there stays
set -euo pipefail
directory="${1:-"$(dirname "$0")/certificates"}"
days=365

mkdir -p "$directory"
cd "$directory"

authority() { # FILE NAME
  [ -e "$1.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=$2" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$1.key" -out "$1.pem"
}

issue() { # FILE AUTHORITY USAGE NAME…
  local file=$1 authority=$2 usage=$3 names
  shift 3
  [ ! -e "$file.pem" ] || return 0
  names=$(printf ',DNS:%s' "$@")
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$file.key" -out "$file.csr"
  openssl x509 -req -in "$file.csr" -CA "$authority.pem" -CAkey "$authority.key" -CAcreateserial -days "$days" -out "$file.pem" \
    -extfile <(printf 'subjectAltName=%s,IP:127.0.0.1\nextendedKeyUsage=%s\nbasicConstraints=CA:FALSE\n' "${names#,}" "$usage")
  rm "$file.csr"
}

{
  authority ca "trying out: clients"
  issue server ca serverAuth localhost gateway1 gateway2
  # An authority of its own: no certificate that a client may have opens the internal plane.
  authority members-ca "trying out: members"
  issue member members-ca serverAuth,clientAuth node1 node2 node3 node4 gateway1 gateway2 localhost
} 2>/dev/null
# For haproxy.tls.cfg, which wants both in one file.
cat server.pem server.key >haproxy.pem
# The programs run as another user than whoever calls this.
chmod 0644 ./*.pem server.key member.key
chmod 0600 ca.key members-ca.key
