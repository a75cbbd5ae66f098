#!/bin/sh
# Stands in for the program in a platform's package: runs what the test names.
exec "$TRUEFILL_SHIM" "$@"
