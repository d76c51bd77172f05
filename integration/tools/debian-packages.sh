#!/usr/bin/env bash
# Installs the Debian packages that some integration tests compare with or probe by. Nothing in the product needs them, and the
# tests that do are skipped, with a reason, where they are missing. Does nothing when all are there; never fails the caller.
set -euo pipefail

# package:command that shows it is there (or python3:module)
packages=(
  restic:restic                   # compared in the benchmark
  borgbackup:borg                 # compared in the benchmark
  rsync:rsync                     # copies trees with all their metadata, to compare restores with
  attr:getfattr                   # extended attributes of restored files
  acl:getfacl                     # access lists of restored files
  openssl:openssl                 # certificates and ciphers, by another implementation than ours
  sslscan:sslscan                 # protocols and suites that the storage node really offers
  testssl.sh:testssl              # the same, by a second scanner
  strace:strace                   # order of writes and flushes
  python3:python3                 # the independent reader of the format
  python3-cryptography:python3:cryptography
  python3-cbor2:python3:cbor2
  python3-argon2:python3:argon2
  python3-zstandard:python3:zstandard
)

missing=()
for entry in "${packages[@]}"; do
  IFS=: read -r package command module <<<"$entry"
  if [[ -n "${module:-}" ]]; then
    python3 -c "import $module" 2>/dev/null || missing+=("$package")
  elif ! command -v "$command" >/dev/null && [[ ! -x "/usr/sbin/$command" ]]; then
    missing+=("$package")
  fi
done

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "debian-packages: all there"
elif ! command -v apt-get >/dev/null || [[ "$(id -u)" != 0 ]]; then
  echo "debian-packages: NOT INSTALLED (needs root and apt-get): ${missing[*]}"
  echo "debian-packages: the tests that need them will be skipped and counted as skipped"
else
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -qq </dev/null && apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
    echo "debian-packages: installed ${missing[*]}"
  else
    echo "debian-packages: INSTALLING FAILED: ${missing[*]}"
    echo "debian-packages: the tests that need them will be skipped and counted as skipped"
  fi
fi
