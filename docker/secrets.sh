#!/bin/sh
# Makes docker/.env (or the file named) of .env.example; every value that is empty there becomes a fresh secret.
set -eu
target=$(realpath "${1:-$(dirname "$0")/.env}")
cd "$(dirname "$0")"
if [ -e "$target" ]; then
    echo "$target is there already; delete it for new secrets (the databases keep the old ones)" >&2
    exit 1
fi
umask 077
while IFS= read -r line; do
    case $line in
        [A-Z]*=) line=$line$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n') ;;
    esac
    printf '%s\n' "$line"
done < .env.example > "$target"
