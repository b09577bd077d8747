#!/bin/sh
# Runs a shell of an image's tarball, which reads standard input. Usage: busybox.sh BUSYBOX.TAR [NAME]
set -e
image=$1 name=${2:-my-docker}
fdbundle from-tar "$image" --output "$name" --store overlay --hostname my-docker --userns auto \
    --net bridge --subnet 100.100.1.0/24 --dns 192.0.2.2 -- /bin/sh
fdrunc run --bundle "$name" "$name"
fdbundle rm "$name"
