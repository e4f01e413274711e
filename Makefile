# The commands of README and docs/deploy.md by name. Nothing here is needed: each is one line.
.PHONY: help test ci demo chaos bench up app package func-start emulators-down

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

test: ## what needs only Go
	go test ./...

ci: ## what CI runs
	bash .ci/run

demo: ## the promise, kept while things break
	go run ./cmd/relaybox demo

chaos: ## real processes, killed and frozen, and every write accounted for
	go run ./cmd/relaybox chaos

bench: ## what an event takes, beside bare SDK calls
	go run ./cmd/relaybox bench --quick

up: ## the app on our own stack, until Ctrl-C
	go run ./cmd/relaybox up

app: ## dist/app for this machine
	go run ./cmd/relaybox assemble

package: ## dist/app.zip for Azure
	go run ./cmd/relaybox assemble --os linux --arch amd64 --zip dist/app.zip

func-start: ## the app under func, on the official emulators (Docker)
	bash scripts/func-start.sh

emulators-down: ## stop the official emulators and forget their data
	ACCEPT_EULA=Y MSSQL_SA_PASSWORD=unused docker compose down --volumes
