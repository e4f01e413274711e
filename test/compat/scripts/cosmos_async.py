"""What the service does, as Python's client with coroutines sees it."""
import asyncio

from azure.core import MatchConditions
from azure.cosmos import PartitionKey, exceptions

from cosmos_cases import bare, case, refused_later, run_async, same

NUMBER = 30


async def stock(c):
    docs = [{"id": str(i), "pk": f"k{i % 7}", "n": NUMBER - i, "g": "xyz"[i % 3]} for i in range(NUMBER)]
    await asyncio.gather(*(c.create_item(d) for d in docs))
    return docs


async def listed(items):
    return [x async for x in items]


async def ask(c, query, **options):
    options.setdefault("max_item_count", 4)
    return await listed(c.query_items(query, **options))


@case("later: databases and containers")
async def _(c, db, client):
    same("later" in [d["id"] async for d in client.list_databases()], True)
    made = await db.create_container_if_not_exists("made", PartitionKey("/a"))
    same((await made.read())["partitionKey"]["paths"], ["/a"])
    await refused_later(409, db.create_container("made", PartitionKey("/a")))
    await db.delete_container("made")
    await refused_later(404, made.read())


@case("later: create, read, replace, upsert, delete")
async def _(c, db, client):
    await c.create_item({"id": "1", "pk": "a"})
    await refused_later(409, c.create_item({"id": "1", "pk": "a"}))
    same((await c.replace_item("1", {"id": "1", "pk": "a", "n": 1}))["n"], 1)
    same((await c.upsert_item({"id": "1", "pk": "a", "n": 2}))["n"], 2)
    same(bare(await c.read_item("1", "a")), {"id": "1", "pk": "a", "n": 2})
    await c.delete_item("1", "a")
    await refused_later(404, c.read_item("1", "a"))


@case("later: conditions")
async def _(c, db, client):
    first = await c.create_item({"id": "1", "pk": "a"})
    unchanged = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    await c.replace_item("1", {"id": "1", "pk": "a", "n": 1}, **unchanged)
    await refused_later(412, c.replace_item("1", {"id": "1", "pk": "a", "n": 2}, **unchanged))


@case("later: one of many wins")
async def _(c, db, client):
    first = await c.create_item({"id": "1", "pk": "a", "n": 0})
    write = lambda n: c.replace_item("1", {"id": "1", "pk": "a", "n": n}, etag=first["_etag"], match_condition=MatchConditions.IfNotModified)
    results = await asyncio.gather(*(write(n) for n in range(8)), return_exceptions=True)
    same(len([r for r in results if not isinstance(r, Exception)]), 1)


@case("later: patch")
async def _(c, db, client):
    await c.create_item({"id": "1", "pk": "a", "n": 1})
    same((await c.patch_item("1", "a", [{"op": "incr", "path": "/n", "value": 4}]))["n"], 5)
    await refused_later(412, c.patch_item("1", "a", [{"op": "set", "path": "/n", "value": 0}], filter_predicate="from c where c.n = 1"))


@case("later: a batch")
async def _(c, db, client):
    results = await c.execute_item_batch([("create", ({"id": str(n), "pk": "a"},)) for n in range(5)], "a")
    same([r["statusCode"] for r in results], [201] * 5)
    try:
        await c.execute_item_batch([("create", ({"id": "9", "pk": "a"},)), ("create", ({"id": "1", "pk": "a"},))], "a")
        raise AssertionError("it was taken")
    except exceptions.CosmosBatchOperationError as e:
        same(e.error_index, 1)
    same(len(await listed(c.read_all_items())), 5)


@case("later: delete in the loop of a query")
async def _(c, db, client):
    await stock(c)
    async for d in c.query_items("SELECT * FROM c WHERE c.g != 'x'"):
        await c.delete_item(d, d["pk"])
    same({d["g"] for d in await listed(c.read_all_items())}, {"x"})


@case("later: a filter over partitions")
async def _(c, db, client):
    docs = await stock(c)
    same(sorted(await ask(c, "SELECT VALUE c.id FROM c WHERE c.n > 20")), sorted(d["id"] for d in docs if d["n"] > 20))


@case("later: ORDER BY, TOP, OFFSET LIMIT")
async def _(c, db, client):
    await stock(c)
    same(await ask(c, "SELECT VALUE c.n FROM c ORDER BY c.n"), list(range(1, NUMBER + 1)))
    same(await ask(c, "SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC"), [30, 29, 28])
    same(await ask(c, "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 10 LIMIT 5"), [11, 12, 13, 14, 15])


@case("later: DISTINCT")
async def _(c, db, client):
    await stock(c)
    same(sorted(await ask(c, "SELECT DISTINCT VALUE c.g FROM c")), ["x", "y", "z"])
    same(await ask(c, "SELECT DISTINCT VALUE c.g FROM c ORDER BY c.g DESC"), ["z", "y", "x"])


@case("later: aggregates")
async def _(c, db, client):
    await stock(c)
    for what, want in (("COUNT(1)", 30), ("SUM(c.n)", 465), ("AVG(c.n)", 15.5), ("MIN(c.n)", 1), ("MAX(c.n)", 30)):
        same(await ask(c, f"SELECT VALUE {what} FROM c"), [want])


@case("later: GROUP BY inside a partition")
async def _(c, db, client):
    await stock(c)
    got = await ask(c, "SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g", partition_key="k0")
    same(sum(x["n"] for x in got), 5)


@case("later: pages and their continuation")
async def _(c, db, client):
    docs = await stock(c)
    got, token = [], None
    for _ in range(50):
        pages = c.query_items("SELECT VALUE c.id FROM c", max_item_count=7).by_page(token)
        got += await listed(await pages.__anext__())
        token = pages.continuation_token
        if not token:
            break
    same(sorted(got), sorted(d["id"] for d in docs))


@case("later: the change feed")
async def _(c, db, client):
    docs = await stock(c)
    same(sorted([d["id"] async for d in c.query_items_change_feed(start_time="Beginning")]), sorted(d["id"] for d in docs))
    token = client.client_connection.last_response_headers["etag"]
    await c.upsert_item({"id": "new", "pk": "a"})
    same([d["id"] async for d in c.query_items_change_feed(continuation=token)], ["new"])


@case("later: read_items")
async def _(c, db, client):
    await stock(c)
    got = await c.read_items([(str(n), f"k{n % 7}") for n in range(12)])
    same(sorted(int(d["id"]) for d in got), list(range(12)))


@case("later: hierarchical keys", partition_key=PartitionKey(["/a", "/b"], kind="MultiHash"))
async def _(c, db, client):
    for n in range(8):
        await c.create_item({"id": str(n), "a": f"a{n % 2}", "b": f"b{n % 4}"})
    same((await c.read_item("3", ["a1", "b3"]))["id"], "3")
    same(sorted(await ask(c, "SELECT VALUE c.id FROM c", partition_key=["a1"])), ["1", "3", "5", "7"])


@case("later: unique keys", unique_key_policy={"uniqueKeys": [{"paths": ["/email"]}]})
async def _(c, db, client):
    await c.create_item({"id": "1", "pk": "a", "email": "x"})
    await refused_later(409, c.create_item({"id": "2", "pk": "a", "email": "x"}))


@case("later: a time to live", default_ttl=1)
async def _(c, db, client):
    await c.create_item({"id": "1", "pk": "a"})
    await c.create_item({"id": "2", "pk": "a", "ttl": -1})
    for _ in range(50):
        if [d["id"] for d in await listed(c.read_all_items())] == ["2"]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never expires")


@case("later: throughput", offer_throughput=400)
async def _(c, db, client):
    same((await c.replace_throughput(500)).offer_throughput, 500)
    same((await c.get_throughput()).offer_throughput, 500)


@case("later: feed ranges")
async def _(c, db, client):
    docs = await stock(c)
    got = []
    async for r in c.read_feed_ranges():
        got += await ask(c, "SELECT VALUE c.n FROM c ORDER BY c.n", feed_range=r)
    same(sorted(got), sorted(d["n"] for d in docs))


@case("later: what is not supported here")
async def _(c, db, client):
    same(await listed(c.list_conflicts()), [])
    await refused_later(405, c.scripts.create_stored_procedure({"id": "s", "body": "function () {}"}))
    await refused_later(405, c.delete_all_items_by_partition_key("a"))


asyncio.run(run_async())
