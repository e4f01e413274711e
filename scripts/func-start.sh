#!/usr/bin/env bash
# Runs the app under the real Functions host, on the official emulators in Docker.
# Checks first what it needs and names everything that is missing at once.
#
#   scripts/func-start.sh          check, build, start the emulators, wait, func start
#   scripts/func-start.sh check    check only
#
# With DEBUG=1 the handler is built for a debugger, which attaches to the process "handler".
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MIN_FUNC=4.0.7030 # nothing older has been looked at
readonly APP=dist/app
readonly READY_SECONDS=${READY_SECONDS:-240}

missing=()
need() { missing+=("$1"); }

# older A B: is version A before version B?
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]; }

# taken PORT: does somebody listen there?
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_tools() {
  command -v go >/dev/null || need "go: install Go 1.26 or later, https://go.dev/dl"
  if ! command -v func >/dev/null; then
    need "func: install Azure Functions Core Tools v4, https://learn.microsoft.com/azure/azure-functions/functions-run-local"
  else
    local version
    version=$(func --version 2>/dev/null | tail -1)
    if older "$version" "$MIN_FUNC"; then need "func $version is too old: update Azure Functions Core Tools to $MIN_FUNC or later"; fi
  fi
  if ! command -v docker >/dev/null; then
    need "docker: install Docker Desktop or Docker Engine with the compose plugin"
  elif ! docker info >/dev/null 2>&1; then
    need "the Docker engine does not answer: start it, or add yourself to the group docker"
  elif ! docker compose version >/dev/null 2>&1; then
    need "docker compose: install the compose plugin, v2"
  fi
  if [ "${ACCEPT_EULA:-}" != Y ]; then
    need "ACCEPT_EULA: set it to Y if you accept the licences of the Service Bus emulator and of SQL Server"
  fi
}

check_ports() {
  local port
  if taken 7071; then need "port 7071 is taken: stop what listens there (another func start, or relaybox up)"; fi
  # Our own emulators may be up already. Compose wants the variables of its file to be set.
  if [ -n "$(ACCEPT_EULA=Y MSSQL_SA_PASSWORD=unused docker compose ps --quiet 2>/dev/null || true)" ]; then return; fi
  for port in 8081 5672 5300 10000 10001 10002; do
    if taken "$port"; then need "port $port is taken: stop what listens there (relaybox up, or another emulator)"; fi
  done
}

check() {
  check_tools
  check_ports
  if [ ${#missing[@]} -gt 0 ]; then
    echo "func-start needs:"
    printf '  - %s\n' "${missing[@]}"
    exit 1
  fi
}

# password prints the emulator's SQL password: made once and kept, because the database
# in the container goes on using it.
password() {
  local file=.relaybox/emulator-sql-password
  if [ ! -s "$file" ]; then
    mkdir -p .relaybox
    (umask 077; printf 'Rb1-%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >"$file")
  fi
  cat "$file"
}

emulators() {
  export MSSQL_SA_PASSWORD=${MSSQL_SA_PASSWORD:-$(password)}
  docker compose up --detach --wait --wait-timeout "$READY_SECONDS" || {
    docker compose ps
    echo "an emulator did not become ready in $READY_SECONDS s; see: docker compose logs"
    exit 1
  }
}

check
if [ "${1:-}" = check ]; then
  echo "everything is there"
  exit 0
fi
go run ./cmd/relaybox assemble --out "$APP"
if [ -n "${DEBUG:-}" ]; then go build -gcflags='all=-N -l' -o "$APP/handler" ./handler; fi
# func reads the settings beside host.json. Assemble has just made the folder anew.
if [ ! -e local.settings.json ]; then cp local.settings.json.example local.settings.json; fi
cp local.settings.json "$APP/local.settings.json"
emulators
exec func start --script-root "$APP"
