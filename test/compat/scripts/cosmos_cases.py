"""Runs cases against the Cosmos DB that COSMOS_ENDPOINT names, each on a container of its own. A case says how it ended in
a line of JSON; python_test.go reads that."""
import json
import os
import sys
import traceback

from azure.cosmos import PartitionKey, exceptions

KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
ENDPOINT = os.environ["COSMOS_ENDPOINT"]
OPTIONS = {}
if os.environ.get("COSMOS_CA"):
    OPTIONS["connection_verify"] = os.environ["COSMOS_CA"]

CASES = []


def case(name, **definition):
    """Takes a function of (container, database, client) as a case; definition is what its container is made with."""
    definition.setdefault("partition_key", PartitionKey("/pk"))

    def take(play):
        CASES.append((name, definition, play))
        return play

    return take


def same(got, want):
    assert got == want, f"{got!r} is not {want!r}"


def bare(doc):
    """A document without what the server adds."""
    if isinstance(doc, list):
        return [bare(d) for d in doc]
    return {k: v for k, v in doc.items() if k not in ("_rid", "_self", "_etag", "_ts", "_attachments", "_lsn")}


def refused(status, call, *args, **kwargs):
    """Calls what must be refused with a status."""
    try:
        result = call(*args, **kwargs)
        if hasattr(result, "__iter__") and not isinstance(result, dict):
            list(result)
    except exceptions.CosmosHttpResponseError as e:
        same(e.status_code, status)
        return e
    raise AssertionError("nothing was refused")


def line(**what):
    print(json.dumps(what), flush=True)


def outcome(name, error=None):
    line(name=name, error="".join(traceback.format_exception(error)) if error else "")


def run():
    """Runs all cases."""
    from azure.cosmos import CosmosClient

    client = CosmosClient(ENDPOINT, KEY, **OPTIONS)
    database = client.create_database("cases")
    for n, (name, definition, play) in enumerate(CASES):
        try:
            play(database.create_container(f"c{n}", **definition), database, client)
            outcome(name)
        except Exception as e:  # whatever a case ends with is its outcome
            outcome(name, e)
    line(end=len(CASES))
    sys.exit(0)


async def refused_later(status, coroutine):
    """Awaits what must be refused with a status."""
    try:
        await coroutine
    except exceptions.CosmosHttpResponseError as e:
        same(e.status_code, status)
        return e
    raise AssertionError("nothing was refused")


async def run_async():
    """Runs all cases, which are coroutines."""
    from azure.cosmos.aio import CosmosClient

    async with CosmosClient(ENDPOINT, KEY, **OPTIONS) as client:
        database = await client.create_database("later")
        for n, (name, definition, play) in enumerate(CASES):
            try:
                await play(await database.create_container(f"c{n}", **definition), database, client)
                outcome(name)
            except Exception as e:  # whatever a case ends with is its outcome
                outcome(name, e)
    line(end=len(CASES))
