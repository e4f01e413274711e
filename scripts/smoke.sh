#!/usr/bin/env bash
# Writes an entity to a deployed app, reads it back and deletes it.
#
#   scripts/smoke.sh RESOURCE_GROUP APP URL
#
# With SMOKE_KEY set it asks nobody for the function key. SMOKE_ROUTE and SMOKE_ENTITY name
# another kind's route and an entity of it.
set -euo pipefail

readonly GROUP=${1:?resource group} APP=${2:?function app} URL=${3:?https://APP.azurewebsites.net}
readonly TRIES=${SMOKE_TRIES:-30} PAUSE=${SMOKE_PAUSE:-10}
readonly ROUTE=${SMOKE_ROUTE:-profiles} ENTITY=${SMOKE_ENTITY:-'{"displayName":"Smoke"}'}

address="$URL/api/$ROUTE/smoke-$(date +%s)-$$"
body=$(mktemp)
trap 'rm -f "$body"' EXIT

# key prints the function key. The host makes it, so a young app has none yet.
key() {
  if [ -n "${SMOKE_KEY:-}" ]; then
    printf '%s' "$SMOKE_KEY"
  else
    az functionapp keys list --resource-group "$GROUP" --name "$APP" --query functionKeys.default --output tsv 2>/dev/null || true
  fi
}

# call METHOD [curl options] prints the status. The key goes through curl's standard
# input, so that no list of processes shows it.
call() {
  local method=$1
  shift
  printf 'header = "x-functions-key: %s"\n' "$function_key" |
    curl --silent --show-error --max-time 60 --config - --request "$method" --output "$body" --write-out '%{http_code}' "$@" "$address" || true
}

# A first start takes its time, and a new role up to ten minutes to be known everywhere.
status=
for _ in $(seq "$TRIES"); do
  function_key=$(key)
  if [ -n "$function_key" ]; then
    if [ -n "${GITHUB_ACTIONS:-}" ]; then echo "::add-mask::$function_key"; fi
    status=$(call PUT --header 'Content-Type: application/json' --data "$ENTITY")
  else
    status="no function key yet"
  fi
  case $status in
    2??) break ;;
    400 | 422) break ;; # waiting does not help
    401 | 403) if [ -n "${SMOKE_KEY:-}" ]; then break; fi ;;
  esac
  echo "PUT: $status; trying again in $PAUSE s"
  sleep "$PAUSE"
done

expect() {
  if [ "$2" != "$3" ]; then
    echo "$1: got $2 and expected $3"
    cat "$body"
    exit 1
  fi
  echo "$1: $2"
}

case $status in 2??) ;; *) expect PUT "$status" 201 ;; esac
echo "PUT: $status"
expect GET "$(call GET)" 200
expect DELETE "$(call DELETE)" 204
expect "GET after DELETE" "$(call GET)" 404
