"""Queries over many partitions and ranges, which the client puts together, as Python's sees them."""
from azure.cosmos import PartitionKey

from cosmos_cases import case, refused, run, same

NUMBER = 40
TWO = {"indexing_policy": {"compositeIndexes": [[{"path": "/g", "order": "ascending"}, {"path": "/n", "order": "descending"}]]}}


def stock(c):
    """The documents of a case: n counts down, g is one of three groups, and a few have no n."""
    docs = [{"id": str(i), "pk": f"k{i % 11}", "n": NUMBER - i, "g": "xyzx"[i % 4], "tags": [f"t{i % 3}", "all"]} for i in range(NUMBER)]
    for d in docs[9::10]:
        del d["n"]
    for d in docs:
        c.create_item(d)
    return docs


def numbers(docs):
    return sorted(d["n"] for d in docs if "n" in d)


def ask(name, query, want, ordered=True, parameters=None, **definition):
    """A case of a query, by pages of several sizes."""

    @case(name, **definition)
    def _(c, db, client):
        docs = stock(c)
        for size in (3, 100):
            got = list(c.query_items(query, parameters=parameters, enable_cross_partition_query=True, max_item_count=size))
            key = None if ordered else repr
            same(got if ordered else sorted(got, key=key), want(docs) if ordered else sorted(want(docs), key=key))


ask("a filter", "SELECT VALUE c.id FROM c WHERE c.n > 30", lambda d: [x["id"] for x in d if x.get("n", 0) > 30], ordered=False)
ask("parameters", "SELECT VALUE c.id FROM c WHERE c.g = @g AND c.n < @n", lambda d: [x["id"] for x in d if x["g"] == "y" and x.get("n", 99) < 20], ordered=False,
    parameters=[{"name": "@g", "value": "y"}, {"name": "@n", "value": 20}])
ask("a JOIN", "SELECT VALUE t FROM c JOIN t IN c.tags WHERE t != 'all'", lambda d: [x["tags"][0] for x in d], ordered=False)
ask("ORDER BY", "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n", numbers)
ask("ORDER BY DESC", "SELECT c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC", lambda d: [{"n": n} for n in reversed(numbers(d))])
ask("ORDER BY among equals", "SELECT VALUE c.g FROM c ORDER BY c.g", lambda d: sorted(x["g"] for x in d))
ask("ORDER BY two", "SELECT c.g, c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.g, c.n DESC",
    lambda d: sorted(({"g": x["g"], "n": x["n"]} for x in d if "n" in x), key=lambda x: (x["g"], -x["n"])), **TWO)
ask("TOP with ORDER BY", "SELECT TOP 7 VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC", lambda d: numbers(d)[:-8:-1])
ask("TOP from a parameter", "SELECT TOP @k VALUE c.n FROM c WHERE c.n > 3 ORDER BY c.n", lambda d: [n for n in numbers(d) if n > 3][:5], parameters=[{"name": "@k", "value": 5}])
ask("OFFSET LIMIT with ORDER BY", "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n OFFSET 4 LIMIT 9", lambda d: numbers(d)[4:13])
ask("DISTINCT", "SELECT DISTINCT VALUE c.g FROM c", lambda d: ["x", "y", "z"], ordered=False)
ask("DISTINCT in order", "SELECT DISTINCT VALUE c.g FROM c ORDER BY c.g", lambda d: ["x", "y", "z"])
ask("DISTINCT of objects", "SELECT DISTINCT c.g FROM c", lambda d: [{"g": g} for g in "xyz"], ordered=False)
ask("COUNT", "SELECT VALUE COUNT(1) FROM c", lambda d: [NUMBER])
ask("COUNT of a path", "SELECT VALUE COUNT(c.n) FROM c", lambda d: [len(numbers(d))])
ask("SUM", "SELECT VALUE SUM(c.n) FROM c", lambda d: [sum(numbers(d))])
ask("AVG", "SELECT VALUE AVG(c.n) FROM c", lambda d: [sum(numbers(d)) / len(numbers(d))])
ask("MIN", "SELECT VALUE MIN(c.n) FROM c", lambda d: [numbers(d)[0]])
ask("MAX", "SELECT VALUE MAX(c.n) FROM c", lambda d: [NUMBER])
ask("MAX of strings", "SELECT VALUE MAX(c.g) FROM c", lambda d: ["z"])
ask("MIN under a filter that few ranges match", "SELECT VALUE MIN(c.n) FROM c WHERE c.id = '3'", lambda d: [NUMBER - 3])


@case("TOP and OFFSET without an order")
def _(c, db, client):
    stock(c)
    same(len(list(c.query_items("SELECT TOP 13 * FROM c", enable_cross_partition_query=True))), 13)
    same(len(list(c.query_items("SELECT * FROM c OFFSET 35 LIMIT 10", enable_cross_partition_query=True))), 5)


@case("GROUP BY inside a partition; across them the client does not know it")
def _(c, db, client):
    docs = stock(c)
    inside = [d for d in docs if d["pk"] == "k0"]
    got = list(c.query_items("SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g", partition_key="k0"))
    same({x["g"]: x["n"] for x in got}, {g: len([d for d in inside if d["g"] == g]) for g in {d["g"] for d in inside}})
    e = refused(400, c.query_items, "SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g", enable_cross_partition_query=True)
    same("GroupBy" in str(e), True)


@case("inside a partition, everything")
def _(c, db, client):
    docs = [d for d in stock(c) if d["pk"] == "k1"]
    ask = lambda query: list(c.query_items(query, partition_key="k1"))
    same(ask("SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC"), numbers(docs)[::-1])
    same(ask("SELECT TOP 1 VALUE c.id FROM c"), [docs[0]["id"]])
    same(ask("SELECT COUNT(1) AS many, MAX(c.n) AS most FROM c"), [{"many": len(docs), "most": numbers(docs)[-1]}])
    same(len(ask("SELECT * FROM c OFFSET 1 LIMIT 2")), 2)


@case("a query that needs all partitions and may not")
def _(c, db, client):
    stock(c)
    refused(400, c.query_items, "SELECT * FROM c WHERE c.n = 1")


@case("a query that pins its partition")
def _(c, db, client):
    docs = [d for d in stock(c) if d["pk"] == "k2"]
    got = list(c.query_items("SELECT VALUE c.n FROM c WHERE c.pk = 'k2' AND IS_DEFINED(c.n) ORDER BY c.n", enable_cross_partition_query=True))
    same(got, numbers(docs))


@case("queries that are refused")
def _(c, db, client):
    for query in ("SELECT FROM", "SELECT NOSUCH(c.n) FROM c", "SELECT x.n FROM c", "SELECT * FROM c WHERE c.n = @none"):
        refused(400, c.query_items, query, enable_cross_partition_query=True)
    refused(400, c.query_items, "SELECT * FROM c ORDER BY c.g, c.n", enable_cross_partition_query=True)


@case("ORDER BY an excluded path", indexing_policy={"excludedPaths": [{"path": "/n/?"}]})
def _(c, db, client):
    stock(c)
    e = refused(400, c.query_items, "SELECT * FROM c ORDER BY c.n", enable_cross_partition_query=True)
    same("excluded" in str(e), True)


@case("pages and their continuation, inside a partition")
def _(c, db, client):
    for n in range(10):
        c.create_item({"id": str(n), "pk": "a", "n": n})
    query = "SELECT VALUE c.n FROM c ORDER BY c.n DESC"
    pages = c.query_items(query, partition_key="a", max_item_count=4).by_page()
    same(list(next(pages)), [9, 8, 7, 6])
    rest = c.query_items(query, partition_key="a", max_item_count=4).by_page(pages.continuation_token)
    same([list(p) for p in rest], [[5, 4, 3, 2], [1, 0]])


@case("pages and their continuation, over partitions")
def _(c, db, client):
    docs = stock(c)
    got, token = [], None
    for _ in range(50):
        pages = c.query_items("SELECT VALUE c.id FROM c", enable_cross_partition_query=True, max_item_count=7).by_page(token)
        got += list(next(pages))
        token = pages.continuation_token
        if not token:
            break
    same(sorted(got), sorted(d["id"] for d in docs))


@case("what a query costs, and its measures")
def _(c, db, client):
    stock(c)
    list(c.query_items("SELECT * FROM c WHERE c.n = 1", enable_cross_partition_query=True, populate_query_metrics=True, populate_index_metrics=True))
    headers = client.client_connection.last_response_headers
    same(float(headers["x-ms-request-charge"]) > 0, True)
    same("retrievedDocumentCount=" in headers["x-ms-documentdb-query-metrics"], True)
    same("UtilizedSingleIndexes" in str(headers["x-ms-cosmos-index-utilization"]) or "UtilizedIndexes" in str(headers["x-ms-cosmos-index-utilization"]), True)


@case("a query by feed range")
def _(c, db, client):
    docs = stock(c)
    ranges = list(c.read_feed_ranges())
    for query, want in (("SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n", numbers(docs)), ("SELECT VALUE c.id FROM c", [d["id"] for d in docs])):
        got = [x for r in ranges for x in c.query_items(query, feed_range=r)]
        same(sorted(got), sorted(want))
    of_key = c.feed_range_from_partition_key("k3")
    same(sorted(c.query_items("SELECT VALUE c.id FROM c", feed_range=of_key)), sorted(d["id"] for d in docs if d["pk"] == "k3"))


@case("hierarchical keys, over all of them", partition_key=PartitionKey(["/a", "/b"], kind="MultiHash"))
def _(c, db, client):
    for n in range(20):
        c.create_item({"id": str(n), "a": f"a{n % 3}", "b": f"b{n % 4}", "n": n})
    same(list(c.query_items("SELECT VALUE c.n FROM c ORDER BY c.n DESC", enable_cross_partition_query=True)), list(range(19, -1, -1)))
    same(list(c.query_items("SELECT VALUE COUNT(1) FROM c WHERE c.a = 'a1'", enable_cross_partition_query=True)), [7])
    same(sorted(c.query_items("SELECT VALUE c.n FROM c", partition_key=["a1"])), list(range(1, 20, 3)))


run()
