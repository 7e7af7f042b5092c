#!/bin/sh
# Gives the agent a token of its own, which may write to the bucket and do nothing else. It may run again: a token that is
# there is left alone.
set -eu
file=/tokens/agent
name=edge-agent-writes
uid=10001 # the agent's, as the Dockerfile has it
[ ! -s "$file" ] || exit 0

bucket=$(influx bucket list --org "$INFLUX_ORG" --name "$INFLUX_BUCKET" --hide-headers | cut -f 1)
# One whose file is gone: nobody knows it any more.
for old in $(influx auth list --org "$INFLUX_ORG" --hide-headers | awk -F '\t' -v name="$name" '$2 == name { print $1 }'); do
    influx auth delete --id "$old" >/dev/null
done
made=$(influx auth create --org "$INFLUX_ORG" --description "$name" --write-bucket "$bucket" --json)
token=$(printf '%s' "$made" | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
[ -n "$token" ] || {
    echo "influx auth create answered without a token" >&2
    exit 1
}
umask 077
printf '%s' "$token" >"$file.new"
chown "$uid" "$file.new"
chmod 400 "$file.new"
mv "$file.new" "$file"
