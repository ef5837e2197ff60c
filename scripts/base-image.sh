#!/bin/sh
# base-image.sh TAG: a base image made of this machine's own files, for places where none can be pulled: Node.js as the dependencies
# brought it, the libraries it is linked to, and what name resolution needs.
set -eu
tag=$1
root=$(CDPATH='' cd -- "$(dirname "$0")/.." && pwd)
node=$(ls "$root"/node_modules/node-linux-*/bin/node | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/usr/local/bin" "$work/etc" "$work/tmp" "$work/root"
chmod 1777 "$work/tmp"
cp "$node" "$work/usr/local/bin/node"
libraries=$(ldd "$node" | grep -o '/[^ ]*')
resolver=$(ls /lib/*-linux-gnu/libnss_dns.so.2 /lib/*-linux-gnu/libnss_files.so.2 /lib/*-linux-gnu/libresolv.so.2 2>/dev/null || true)
for library in $libraries $resolver; do
	mkdir -p "$work$(dirname "$library")"
	cp -L "$library" "$work$library"
done
printf 'root:x:0:0:root:/root:/sbin/nologin\n' >"$work/etc/passwd"
printf 'hosts: files dns\n' >"$work/etc/nsswitch.conf"
tar -C "$work" -c . | docker import -c 'ENV PATH=/usr/local/bin' - "$tag"
