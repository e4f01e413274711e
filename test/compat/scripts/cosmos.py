"""What the service does with items and containers, as its client for Python sees it."""
import time
import uuid
from datetime import datetime, timedelta, timezone

from azure.core import MatchConditions
from azure.cosmos import PartitionKey, ThroughputProperties, exceptions
from azure.cosmos.partition_key import NonePartitionKeyValue

from cosmos_cases import bare, case, refused, run, same


def put(c, *docs):
    for d in docs:
        c.upsert_item(d)


@case("databases: create, list, query, delete")
def _(c, db, client):
    client.create_database("second")
    same(sorted(d["id"] for d in client.list_databases()), ["cases", "second"])
    same([d["id"] for d in client.query_databases("SELECT * FROM r WHERE r.id = @id", parameters=[{"name": "@id", "value": "second"}])], ["second"])
    refused(409, client.create_database, "second")
    client.create_database_if_not_exists("second")
    same(client.get_database_client("second").read()["id"], "second")
    client.delete_database("second")
    refused(404, client.get_database_client("second").read)


@case("databases by pages of one")
def _(c, db, client):
    made = [client.create_database(f"page{n}") for n in range(3)]
    pages = list(client.list_databases(max_item_count=1).by_page())
    same([len(list(p)) for p in pages], [1, 1, 1, 1])
    for d in made:
        client.delete_database(d.id)


@case("containers: create, list, query, replace, delete")
def _(c, db, client):
    second = db.create_container("second", PartitionKey("/a"), default_ttl=10)
    same("second" in [x["id"] for x in db.list_containers()], True)
    same([x["id"] for x in db.query_containers("SELECT * FROM c WHERE c.id = 'second'")], ["second"])
    refused(409, db.create_container, "second", PartitionKey("/a"))
    same(db.create_container_if_not_exists("second", PartitionKey("/a")).id, "second")
    db.replace_container("second", PartitionKey("/a"), default_ttl=20)
    same(second.read()["defaultTtl"], 20)
    db.delete_container("second")
    refused(404, second.read)


@case("containers by what they were read as")
def _(c, db, client):
    properties = c.read()
    same(db.get_container_client(properties).read()["id"], c.id)
    same(client.get_database_client(db.read()).read()["id"], db.id)
    same(properties["_self"].startswith("dbs/"), True)


@case("a container's policies", indexing_policy={"includedPaths": [{"path": "/a/?"}], "excludedPaths": [{"path": "/*"}]}, default_ttl=100)
def _(c, db, client):
    properties = c.read()
    same(properties["indexingPolicy"]["indexingMode"], "consistent")
    same([p["path"] for p in properties["indexingPolicy"]["excludedPaths"]], ["/*", '/"_etag"/?'])
    same(properties["defaultTtl"], 100)


@case("an empty indexing policy is completed", indexing_policy={})
def _(c, db, client):
    same(c.read()["indexingPolicy"]["includedPaths"], [{"path": "/*"}])


@case("create and read")
def _(c, db, client):
    made = c.create_item({"id": "1", "pk": "a", "deep": {"list": [1, None, "x", 1.5]}})
    read = c.read_item("1", "a")
    same(made, read)
    same(bare(read), {"id": "1", "pk": "a", "deep": {"list": [1, None, "x", 1.5]}})
    same(float(made.get_response_headers()["x-ms-request-charge"]) > 0, True)
    same("etag" in made.get_response_headers(), True)


@case("create twice")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a"})
    e = refused(409, c.create_item, {"id": "1", "pk": "a"})
    same(isinstance(e, exceptions.CosmosResourceExistsError), True)
    c.create_item({"id": "1", "pk": "b"})


@case("create without an id")
def _(c, db, client):
    made = c.create_item({"pk": "a"}, enable_automatic_id_generation=True)
    uuid.UUID(made["id"])
    refused(400, c.create_item, {"pk": "a"})


@case("create without an answer")
def _(c, db, client):
    same(dict(c.create_item({"id": "1", "pk": "a"}, no_response=True)), {})
    same(c.read_item("1", "a")["id"], "1")


@case("read what is not there")
def _(c, db, client):
    e = refused(404, c.read_item, "none", "a")
    same(isinstance(e, exceptions.CosmosResourceNotFoundError), True)
    put(c, {"id": "1", "pk": "a"})
    refused(404, c.read_item, "1", "b")


@case("ids of many kinds")
def _(c, db, client):
    for name in ["with space", "ünïcode", "a+b", "a&b=c", "a:b", "(1)", "x" * 255]:
        put(c, {"id": name, "pk": name})
        same(c.read_item(name, name)["id"], name)
        c.delete_item(name, name)


@case("partition keys of many kinds")
def _(c, db, client):
    for n, key in enumerate(["", "ü", 1, 1.5, True, False, None, "a'b\"c"]):
        put(c, {"id": str(n), "pk": key})
        same(c.read_item(str(n), key)["pk"], key)
    same(len(list(c.read_all_items())), 8)


@case("an item without its partition key")
def _(c, db, client):
    c.create_item({"id": "1"})
    same(bare(c.read_item("1", NonePartitionKeyValue)), {"id": "1"})


@case("replace")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a", "n": 1})
    same(c.replace_item("1", {"id": "1", "pk": "a", "n": 2})["n"], 2)
    same("n" in c.replace_item(c.read_item("1", "a"), {"id": "1", "pk": "a"}), False)
    refused(404, c.replace_item, "none", {"id": "none", "pk": "a"})


@case("upsert")
def _(c, db, client):
    same(c.upsert_item({"id": "1", "pk": "a"})["id"], "1")
    same(c.upsert_item({"id": "1", "pk": "a", "n": 2})["n"], 2)
    same(len(list(c.read_all_items())), 1)


@case("delete")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a"}, {"id": "2", "pk": "a"})
    c.delete_item("1", "a")
    c.delete_item(c.read_item("2", "a"), "a")
    refused(404, c.delete_item, "1", "a")
    same(list(c.read_all_items()), [])


@case("delete in the loop of a query")
def _(c, db, client):
    put(c, *({"id": str(n), "pk": f"k{n % 4}"} for n in range(12)))
    for d in c.query_items("SELECT * FROM c WHERE c.id != '3'", enable_cross_partition_query=True):
        c.delete_item(d, d["pk"])
    same([d["id"] for d in c.read_all_items()], ["3"])


@case("replace by what a query returned")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a", "n": 1}, {"id": "2", "pk": "b", "n": 1})
    for d in c.query_items("SELECT * FROM c", enable_cross_partition_query=True):
        d["n"] += 1
        c.replace_item(d, d)
    same([d["n"] for d in c.read_all_items()], [2, 2])


@case("conditions on writes")
def _(c, db, client):
    first = c.create_item({"id": "1", "pk": "a", "n": 0})
    unchanged = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    c.replace_item("1", {"id": "1", "pk": "a", "n": 1}, **unchanged)
    e = refused(412, c.replace_item, "1", {"id": "1", "pk": "a", "n": 2}, **unchanged)
    same(isinstance(e, exceptions.CosmosAccessConditionFailedError), True)
    refused(412, c.upsert_item, {"id": "1", "pk": "a"}, **unchanged)
    refused(412, c.delete_item, "1", "a", **unchanged)
    refused(412, c.patch_item, "1", "a", [{"op": "incr", "path": "/n", "value": 1}], **unchanged)
    same(c.read_item("1", "a")["n"], 1)


@case("patch")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a", "n": 1, "list": [1, 3], "old": True, "from": "x"})
    got = c.patch_item("1", "a", [
        {"op": "add", "path": "/added", "value": {"deep": 1}}, {"op": "set", "path": "/added/more", "value": None}, {"op": "replace", "path": "/n", "value": 5},
        {"op": "incr", "path": "/n", "value": -2}, {"op": "add", "path": "/list/1", "value": 2}, {"op": "remove", "path": "/old"}, {"op": "move", "from": "/from", "path": "/to"}])
    same(bare(got), {"id": "1", "pk": "a", "n": 3, "list": [1, 2, 3], "added": {"deep": 1, "more": None}, "to": "x"})


@case("patch under a condition")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a", "n": 1})
    refused(412, c.patch_item, "1", "a", [{"op": "set", "path": "/n", "value": 2}], filter_predicate="from c where c.n = 7")
    same(c.patch_item("1", "a", [{"op": "set", "path": "/n", "value": 2}], filter_predicate="from c where c.n = 1")["n"], 2)


@case("patches that are refused")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a"})
    refused(400, c.patch_item, "1", "a", [{"op": "replace", "path": "/none", "value": 1}])
    refused(400, c.patch_item, "1", "a", [{"op": "remove", "path": "/none"}])
    refused(400, c.patch_item, "1", "a", [{"op": "set", "path": "/pk", "value": "b"}])
    refused(400, c.patch_item, "1", "a", [{"op": "incr", "path": "/n", "value": 1}] * 11)
    refused(404, c.patch_item, "2", "a", [{"op": "set", "path": "/n", "value": 1}])


@case("a batch of every operation")
def _(c, db, client):
    put(c, {"id": "old", "pk": "a"}, {"id": "gone", "pk": "a"})
    results = c.execute_item_batch([
        ("create", ({"id": "1", "pk": "a"},)), ("upsert", ({"id": "2", "pk": "a"},)), ("replace", ("old", {"id": "old", "pk": "a", "n": 1})),
        ("patch", ("old", [{"op": "incr", "path": "/n", "value": 1}])), ("read", ("old",)), ("delete", ("gone",))], "a")
    same([r["statusCode"] for r in results], [201, 201, 200, 200, 200, 204])
    same(results[4]["resourceBody"]["n"], 2)
    same(len(list(c.read_all_items())), 3)


@case("a batch that fails is not stored")
def _(c, db, client):
    put(c, {"id": "there", "pk": "a"})
    try:
        c.execute_item_batch([("create", ({"id": "1", "pk": "a"},)), ("create", ({"id": "there", "pk": "a"},)), ("delete", ("there",))], "a")
        raise AssertionError("it was taken")
    except exceptions.CosmosBatchOperationError as e:
        same(e.error_index, 1)
        same([r["statusCode"] for r in e.operation_responses], [424, 409, 424])
    same([d["id"] for d in c.read_all_items()], ["there"])


@case("a batch under conditions")
def _(c, db, client):
    made = c.create_item({"id": "1", "pk": "a", "n": 0})
    operation = lambda: ("replace", ("1", {"id": "1", "pk": "a", "n": 1}), {"if_match_etag": made["_etag"]})
    same(c.execute_item_batch([operation()], "a")[0]["statusCode"], 200)
    try:
        c.execute_item_batch([operation()], "a")
        raise AssertionError("it was taken")
    except exceptions.CosmosBatchOperationError as e:
        same(e.status_code, 412)
    patch = [("patch", ("1", [{"op": "incr", "path": "/n", "value": 1}]), {"filter_predicate": "from c where c.n = 1"})]
    same(c.execute_item_batch(patch, "a")[0]["resourceBody"]["n"], 2)


@case("batches that are too large")
def _(c, db, client):
    refused(400, c.execute_item_batch, [("create", ({"id": str(n), "pk": "a"},)) for n in range(101)], "a")
    refused(413, c.execute_item_batch, [("create", ({"id": str(n), "pk": "a", "x": "y" * 900_000},)) for n in range(3)], "a")
    same(list(c.read_all_items()), [])


@case("items that are refused")
def _(c, db, client):
    refused(413, c.create_item, {"id": "1", "pk": "a", "x": "y" * 2**21})
    refused(400, c.create_item, {"id": "x" * 1024, "pk": "a"})
    same(list(c.read_all_items()), [])


@case("a time to live", default_ttl=-1)
def _(c, db, client):
    put(c, {"id": "short", "pk": "a", "ttl": 1}, {"id": "long", "pk": "a", "ttl": 600}, {"id": "ever", "pk": "a"})
    end = time.time() + 5
    while time.time() < end:
        if [d["id"] for d in c.read_all_items()] == ["long", "ever"]:
            break
        time.sleep(0.1)
    refused(404, c.read_item, "short", "a")
    refused(400, c.create_item, {"id": "0", "pk": "a", "ttl": 0})


@case("unique keys", unique_key_policy={"uniqueKeys": [{"paths": ["/email"]}, {"paths": ["/a", "/b/c"]}]})
def _(c, db, client):
    put(c, {"id": "1", "pk": "a", "email": "x", "a": 1})
    refused(409, c.create_item, {"id": "2", "pk": "a", "email": "x", "a": 2})
    refused(409, c.create_item, {"id": "2", "pk": "a", "email": "y", "a": 1})
    c.create_item({"id": "2", "pk": "b", "email": "x", "a": 1})


@case("hierarchical keys", partition_key=PartitionKey(["/tenant", "/user", "/session"], kind="MultiHash"))
def _(c, db, client):
    put(c, *({"id": "1", "tenant": t, "user": u, "session": s} for t in "ab" for u in "xy" for s in "12"))
    same(c.read_item("1", ["a", "y", "2"])["session"], "2")
    refused(404, c.read_item, "1", ["a", "z", "2"])
    same(len(list(c.query_items("SELECT * FROM c", partition_key=["a", "x", "1"]))), 1)
    same(len(list(c.query_items("SELECT * FROM c", partition_key=["a", "x"]))), 2)
    same(len(list(c.query_items("SELECT * FROM c", partition_key=["b"]))), 4)
    c.delete_item("1", ["a", "x", "1"])
    same(len(list(c.read_all_items())), 7)


@case("a key path in quotes", partition_key=PartitionKey('/"le vel"/"b"'))
def _(c, db, client):
    c.create_item({"id": "1", "le vel": {"b": "k"}})
    same(len(list(c.query_items("SELECT * FROM c", partition_key="k"))), 1)


@case("read_items")
def _(c, db, client):
    put(c, *({"id": str(n), "pk": f"k{n % 7}"} for n in range(30)))
    wanted = [(str(n), f"k{n % 7}") for n in range(0, 30, 3)] + [("none", "k1")]
    same(sorted(int(d["id"]) for d in c.read_items(wanted)), list(range(0, 30, 3)))


@case("throughput, manual", offer_throughput=400)
def _(c, db, client):
    same(c.get_throughput().offer_throughput, 400)
    same(c.replace_throughput(600).offer_throughput, 600)
    same(c.get_throughput().offer_throughput, 600)
    refused(400, c.replace_throughput, 601)


@case("throughput, autoscale", offer_throughput=ThroughputProperties(auto_scale_max_throughput=2000))
def _(c, db, client):
    same(c.get_throughput().auto_scale_max_throughput, 2000)
    c.replace_throughput(ThroughputProperties(auto_scale_max_throughput=4000))
    same(c.get_throughput().auto_scale_max_throughput, 4000)


@case("throughput of a database")
def _(c, db, client):
    shared = client.create_database("shared", offer_throughput=500)
    same(shared.get_throughput().offer_throughput, 500)
    same(shared.replace_throughput(700).offer_throughput, 700)
    same(c.get_throughput().offer_throughput, 400)
    c.read(populate_quota_info=True)
    same("documentsCount=0;" in client.client_connection.last_response_headers["x-ms-resource-usage"], True)
    client.delete_database("shared")


@case("what is not supported here")
def _(c, db, client):
    same(list(c.list_conflicts()), [])
    same(list(db.list_users()), [])
    same(list(c.scripts.list_stored_procedures()), [])
    refused(405, c.scripts.create_stored_procedure, {"id": "s", "body": "function () {}"})
    refused(405, c.scripts.create_trigger, {"id": "t", "body": "function () {}", "triggerType": "Pre", "triggerOperation": "All"})
    refused(405, c.scripts.create_user_defined_function, {"id": "u", "body": "function () {}"})
    refused(405, db.create_user, {"id": "u"})
    refused(405, c.delete_all_items_by_partition_key, "a")
    refused(400, c.create_item, {"id": "1", "pk": "a"}, pre_trigger_include="t")
    refused(400, db.create_container, "computed", PartitionKey("/pk"), computed_properties=[{"name": "x", "query": "SELECT VALUE c.y FROM c"}])


@case("sessions")
def _(c, db, client):
    c.create_item({"id": "1", "pk": "a"})
    token = client.client_connection.last_response_headers["x-ms-session-token"]
    same(c.read_item("1", "a", session_token=token)["id"], "1")
    ranges = list(c.read_feed_ranges())
    same(c.get_latest_session_token([(ranges[0], token)], ranges[0]) != "", True)


@case("a wrong key")
def _(c, db, client):
    from azure.cosmos import CosmosClient
    from cosmos_cases import ENDPOINT, OPTIONS
    refused(401, CosmosClient, ENDPOINT, "d3Jvbmc=", **OPTIONS)


def changed(c, **start):
    return [d["id"] for d in c.query_items_change_feed(**start)]


@case("the change feed from its beginning, by pages")
def _(c, db, client):
    put(c, *({"id": str(n), "pk": f"k{n % 3}"} for n in range(10)))
    same(sorted(changed(c, start_time="Beginning")), [str(n) for n in range(10)])
    pages = [[d["id"] for d in p] for p in c.query_items_change_feed(start_time="Beginning", max_item_count=2).by_page()]
    same(sorted(sum(pages, [])), [str(n) for n in range(10)])
    same(max(map(len, pages)) <= 2, True)


@case("the change feed goes on")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a"}, {"id": "2", "pk": "b"})
    same(len(changed(c, start_time="Beginning")), 2)
    token = client.client_connection.last_response_headers["etag"]
    put(c, {"id": "1", "pk": "a", "n": 2}, {"id": "3", "pk": "c"})
    c.delete_item("2", "b")
    same(sorted(changed(c, continuation=token)), ["1", "3"])


@case("the change feed of a key, of a range, from now and from a time")
def _(c, db, client):
    put(c, {"id": "1", "pk": "a"}, {"id": "2", "pk": "b"})
    same(changed(c, start_time="Beginning", partition_key="b"), ["2"])
    by_range = [changed(c, start_time="Beginning", feed_range=r) for r in c.read_feed_ranges()]
    same(sorted(sum(by_range, [])), ["1", "2"])
    same(changed(c, start_time="Now"), [])
    now = datetime.now(timezone.utc)
    same(len(changed(c, start_time=now - timedelta(hours=1))), 2)
    same(changed(c, start_time=now + timedelta(hours=1)), [])


run()
