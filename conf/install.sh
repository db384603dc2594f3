#!/bin/sh
# Install the configuration into a folder that has none yet; for meson.
set -eu
to=${DESTDIR-}$1
if [ -e "$to/squiblyd.yaml" ]; then
	echo "Leaving $to/squiblyd.yaml as it is"
	exit 0
fi
mkdir -p "$to"
install -m 0644 "$MESON_SOURCE_ROOT/conf/squiblyd.yaml" "$to/squiblyd.yaml"
