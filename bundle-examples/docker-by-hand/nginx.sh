#!/bin/sh
# Runs nginx of an image's tarball behind port 80 of the host's. Usage: nginx.sh NGINX.TAR [NAME]
set -e
image=$1 name=${2:-web}
fdbundle store init --btrfs btrfs.img --size 2G
fdbundle from-tar "$image" --output "$name" --store btrfs --memory 64M --userns auto \
    --net web --subnet 10.0.0.0/24 --ip 10.0.0.23 --mac 02:00:0a:00:00:17 --publish 80:80
fdrunc run --detach --bundle "$name" "$name"
curl --silent --retry 30 --retry-delay 1 --retry-connrefused http://10.0.0.1/
fdbundle from-tar "$image" --output "$name-2" --store btrfs --read-only --net web --subnet 10.0.0.0/24 \
    -- wget -q -O - http://10.0.0.23/
fdrunc run --bundle "$name-2" "$name-2"
fdrunc delete --force "$name"
fdbundle rm "$name" "$name-2"
