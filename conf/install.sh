#!/bin/sh
# Install the configuration into a folder that has none yet; for meson.
set -eu
to=${DESTDIR-}$1
# A link is the operator's too, also one that leads nowhere today.
if [ -e "$to/squiblyd.yaml" ] || [ -L "$to/squiblyd.yaml" ]; then
	echo "Leaving $to/squiblyd.yaml as it is"
	exit 0
fi
mkdir -p "$to"
install -m 0644 "$(dirname "$0")/squiblyd.yaml" "$to/squiblyd.yaml"
