import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.CosmosBatch;
import com.azure.cosmos.models.CosmosBatchResponse;
import com.azure.cosmos.models.CosmosBulkOperations;
import com.azure.cosmos.models.CosmosItemIdentity;
import com.azure.cosmos.models.CosmosItemOperation;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosItemResponse;
import com.azure.cosmos.models.CosmosPatchItemRequestOptions;
import com.azure.cosmos.models.CosmosPatchOperations;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.PartitionKey;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the service does with items, as its client for Java sees it. */
final class Items {
    static void cases() {
        points();
        conditions();
        patches();
        batches();
    }

    private static void points() {
        Cases.add("create and read", (c, db, client) -> {
            CosmosItemResponse<ObjectNode> made = c.createItem(Cases.doc("{'id':'1','pk':'a','deep':{'list':[1,null,'x']}}"));
            Cases.same(made.getStatusCode(), 201);
            Cases.same(made.getRequestCharge() > 0, true);
            Cases.same(made.getSessionToken() != null, true);
            Cases.same(made.getActivityId() != null, true);
            CosmosItemResponse<ObjectNode> read = c.readItem("1", Cases.key("a"), ObjectNode.class);
            Cases.same(read.getStatusCode(), 200);
            Cases.same(read.getETag(), made.getETag());
            Cases.same(Cases.bare(read.getItem()), Cases.doc("{'id':'1','pk':'a','deep':{'list':[1,null,'x']}}"));
        });
        Cases.add("create with its key beside it", (c, db, client) -> {
            Cases.same(c.createItem(Cases.doc("{'id':'1','pk':'a'}"), Cases.key("a"), new CosmosItemRequestOptions()).getStatusCode(), 201);
            Cases.refused(400, () -> c.createItem(Cases.doc("{'id':'2','pk':'a'}"), Cases.key("b"), new CosmosItemRequestOptions()));
        });
        Cases.add("create twice", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}");
            Cases.refused(409, () -> c.createItem(Cases.doc("{'id':'1','pk':'a'}")));
            Cases.same(c.createItem(Cases.doc("{'id':'1','pk':'b'}")).getStatusCode(), 201);
        });
        Cases.add("create without an answer", (c, db, client) -> {
            CosmosItemResponse<ObjectNode> made = c.createItem(Cases.doc("{'id':'1','pk':'a'}"), new CosmosItemRequestOptions().setContentResponseOnWriteEnabled(false));
            Cases.same(made.getItem(), null);
        });
        Cases.add("read what is not there", (c, db, client) -> {
            CosmosException e = Cases.refused(404, () -> c.readItem("none", Cases.key("a"), ObjectNode.class));
            Cases.same(e.getSubStatusCode(), 0);
            Cases.put(c, "{'id':'1','pk':'a'}");
            Cases.refused(404, () -> c.readItem("1", Cases.key("b"), ObjectNode.class));
        });
        Cases.add("replace", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a','n':1}");
            Cases.same(c.replaceItem(Cases.doc("{'id':'1','pk':'a','n':2}"), "1", Cases.key("a"), new CosmosItemRequestOptions()).getItem().get("n").asInt(), 2);
            Cases.refused(404, () -> c.replaceItem(Cases.doc("{'id':'9','pk':'a'}"), "9", Cases.key("a"), new CosmosItemRequestOptions()));
        });
        Cases.add("upsert", (c, db, client) -> {
            Cases.same(c.upsertItem(Cases.doc("{'id':'1','pk':'a'}")).getStatusCode(), 201);
            Cases.same(c.upsertItem(Cases.doc("{'id':'1','pk':'a','n':1}")).getStatusCode(), 200);
        });
        Cases.add("delete", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}", "{'id':'2','pk':'a'}");
            Cases.same(c.deleteItem("1", Cases.key("a"), new CosmosItemRequestOptions()).getStatusCode(), 204);
            ObjectNode two = c.readItem("2", Cases.key("a"), ObjectNode.class).getItem();
            Cases.same(c.deleteItem(two, new CosmosItemRequestOptions()).getStatusCode(), 204);
            Cases.refused(404, () -> c.deleteItem("1", Cases.key("a"), new CosmosItemRequestOptions()));
        });
        Cases.add("ids of many kinds", (c, db, client) -> {
            for (String id : List.of("with space", "ünïcode", "a+b", "a&b=c", "(1)", "x".repeat(255))) {
                c.createItem(Cases.doc("{'pk':'a'}").put("id", id));
                Cases.same(c.readItem(id, Cases.key("a"), ObjectNode.class).getItem().get("id").asText(), id);
            }
        });
        Cases.add("partition keys of many kinds", (c, db, client) -> {
            int n = 0;
            for (Object value : new Object[] {"", "ü", 1, 1.5, true, false}) {
                ObjectNode d = Cases.JSON.createObjectNode().put("id", "" + n).set("pk", Cases.JSON.valueToTree(value));
                c.createItem(d);
                Cases.same(c.readItem("" + n++, new PartitionKey(value), ObjectNode.class).getStatusCode(), 200);
            }
            c.createItem(Cases.doc("{'id':'none'}"), PartitionKey.NONE, new CosmosItemRequestOptions());
            Cases.same(c.readItem("none", PartitionKey.NONE, ObjectNode.class).getStatusCode(), 200);
        });
        Cases.add("readMany", (c, db, client) -> {
            List<CosmosItemIdentity> wanted = new ArrayList<>();
            for (int n = 0; n < 20; n++) {
                Cases.put(c, "{'id':'" + n + "','pk':'k" + n % 7 + "'}");
                wanted.add(new CosmosItemIdentity(Cases.key("k" + n % 7), "" + n));
            }
            Cases.same(c.readMany(wanted, ObjectNode.class).getResults().size(), 20);
        });
        Cases.add("readAllItems of a key", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}", "{'id':'2','pk':'a'}", "{'id':'3','pk':'b'}");
            Cases.same(c.readAllItems(Cases.key("a"), ObjectNode.class).stream().count(), 2L);
        });
        Cases.add("items that are refused", (c, db, client) -> {
            Cases.refused(413, () -> c.createItem(Cases.doc("{'id':'1','pk':'a'}").put("x", "y".repeat(1 << 21))));
            Cases.refused(400, () -> c.createItem(Cases.doc("{'pk':'a'}").put("id", "x".repeat(1024))));
        });
    }

    private static void conditions() {
        Cases.add("If-Match", (c, db, client) -> {
            String first = c.createItem(Cases.doc("{'id':'1','pk':'a'}")).getETag();
            CosmosItemRequestOptions unchanged = new CosmosItemRequestOptions().setIfMatchETag(first);
            c.replaceItem(Cases.doc("{'id':'1','pk':'a','n':1}"), "1", Cases.key("a"), unchanged);
            Cases.refused(412, () -> c.replaceItem(Cases.doc("{'id':'1','pk':'a','n':2}"), "1", Cases.key("a"), unchanged));
            Cases.refused(412, () -> c.upsertItem(Cases.doc("{'id':'1','pk':'a','n':2}"), unchanged));
            Cases.refused(412, () -> c.deleteItem("1", Cases.key("a"), unchanged));
        });
        Cases.add("If-None-Match", (c, db, client) -> {
            String etag = c.createItem(Cases.doc("{'id':'1','pk':'a'}")).getETag();
            CosmosItemRequestOptions changed = new CosmosItemRequestOptions().setIfNoneMatchETag(etag);
            Cases.same(c.readItem("1", Cases.key("a"), changed, ObjectNode.class).getStatusCode(), 304);
        });
        Cases.add("a session token", (c, db, client) -> {
            String token = c.createItem(Cases.doc("{'id':'1','pk':'a'}")).getSessionToken();
            CosmosItemRequestOptions options = new CosmosItemRequestOptions().setSessionToken(token);
            Cases.same(c.readItem("1", Cases.key("a"), options, ObjectNode.class).getStatusCode(), 200);
        });
    }

    private static void patches() {
        Cases.add("patch", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a','n':1,'list':[1,3],'old':true,'from':'x'}");
            CosmosPatchOperations p = CosmosPatchOperations.create().add("/added", Cases.doc("{'deep':1}")).set("/set", 7).replace("/n", 5).increment("/n", -2).add("/list/1", 2).remove("/old").move("/from", "/to");
            ObjectNode got = c.patchItem("1", Cases.key("a"), p, ObjectNode.class).getItem();
            Cases.same(Cases.bare(got), Cases.doc("{'id':'1','pk':'a','n':3,'list':[1,2,3],'added':{'deep':1},'set':7,'to':'x'}"));
        });
        Cases.add("patch removes, and leaves no null", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a','gone':1,'deep':{'gone':2},'list':[1,2]}");
            CosmosPatchOperations p = CosmosPatchOperations.create().remove("/gone").remove("/deep/gone").remove("/list/0");
            Cases.same(Cases.bare(c.patchItem("1", Cases.key("a"), p, ObjectNode.class).getItem()), Cases.doc("{'id':'1','pk':'a','deep':{},'list':[2]}"));
        });
        Cases.add("patch under a condition", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a','n':1}");
            CosmosPatchOperations p = CosmosPatchOperations.create().increment("/n", 1);
            Cases.refused(412, () -> c.patchItem("1", Cases.key("a"), p, new CosmosPatchItemRequestOptions().setFilterPredicate("from c where c.n = 7"), ObjectNode.class));
            Cases.same(c.patchItem("1", Cases.key("a"), p, new CosmosPatchItemRequestOptions().setFilterPredicate("from c where c.n = 1"), ObjectNode.class).getItem().get("n").asInt(), 2);
        });
        Cases.add("patches that are refused", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}");
            Cases.refused(400, () -> c.patchItem("1", Cases.key("a"), CosmosPatchOperations.create().remove("/none"), ObjectNode.class));
            Cases.refused(400, () -> c.patchItem("1", Cases.key("a"), CosmosPatchOperations.create().set("/pk", "b"), ObjectNode.class));
            Cases.refused(404, () -> c.patchItem("2", Cases.key("a"), CosmosPatchOperations.create().set("/n", 1), ObjectNode.class));
        });
    }

    private static void batches() {
        Cases.add("a batch of every operation", (c, db, client) -> {
            Cases.put(c, "{'id':'old','pk':'a'}", "{'id':'gone','pk':'a'}");
            CosmosBatch b = CosmosBatch.createCosmosBatch(Cases.key("a"));
            b.createItemOperation(Cases.doc("{'id':'1','pk':'a'}"));
            b.upsertItemOperation(Cases.doc("{'id':'2','pk':'a'}"));
            b.replaceItemOperation("old", Cases.doc("{'id':'old','pk':'a','n':1}"));
            b.patchItemOperation("old", CosmosPatchOperations.create().increment("/n", 1));
            b.readItemOperation("old");
            b.deleteItemOperation("gone");
            CosmosBatchResponse r = c.executeCosmosBatch(b);
            Cases.same(r.isSuccessStatusCode(), true);
            Cases.same(r.getResults().stream().map(x -> x.getStatusCode()).collect(Collectors.toList()), List.of(201, 201, 200, 200, 200, 204));
            Cases.same(r.getResults().get(4).getItem(ObjectNode.class).get("n").asInt(), 2);
        });
        Cases.add("a batch that fails is not stored", (c, db, client) -> {
            Cases.put(c, "{'id':'there','pk':'a'}");
            CosmosBatch b = CosmosBatch.createCosmosBatch(Cases.key("a"));
            b.createItemOperation(Cases.doc("{'id':'1','pk':'a'}"));
            b.createItemOperation(Cases.doc("{'id':'there','pk':'a'}"));
            b.deleteItemOperation("there");
            CosmosBatchResponse r = c.executeCosmosBatch(b);
            Cases.same(r.isSuccessStatusCode(), false);
            Cases.same(r.getResults().stream().map(x -> x.getStatusCode()).collect(Collectors.toList()), List.of(424, 409, 424));
            Cases.same(c.readAllItems(Cases.key("a"), ObjectNode.class).stream().count(), 1L);
        });
        Cases.add("a batch of a hundred, and one more", (c, db, client) -> {
            CosmosBatch b = CosmosBatch.createCosmosBatch(Cases.key("a"));
            IntStream.range(0, 100).forEach(n -> b.createItemOperation(Cases.doc("{'id':'" + n + "','pk':'a'}")));
            Cases.same(c.executeCosmosBatch(b).isSuccessStatusCode(), true);
            b.createItemOperation(Cases.doc("{'id':'100','pk':'a'}"));
            Cases.refused(400, () -> {
                CosmosBatchResponse r = c.executeCosmosBatch(b);
                Cases.same(r.getStatusCode(), 400);
                c.createItem(Cases.doc("{'pk':'a'}").put("id", "x".repeat(1024))); // the client gives the refusal as an answer
            });
        });
        Cases.add("bulk", (c, db, client) -> {
            List<CosmosItemOperation> operations = new ArrayList<>();
            for (int n = 0; n < 150; n++) {
                operations.add(CosmosBulkOperations.getCreateItemOperation(Cases.doc("{'id':'" + n + "','pk':'k" + n % 7 + "'}"), Cases.key("k" + n % 7)));
            }
            int made = 0;
            for (var r : c.executeBulkOperations(operations)) {
                made += r.getResponse().getStatusCode() == 201 ? 1 : 0;
            }
            Cases.same(made, 150);
            for (var r : c.executeBulkOperations(List.of(CosmosBulkOperations.getDeleteItemOperation("none", Cases.key("k1"))))) {
                Cases.same(r.getResponse().getStatusCode(), 404);
            }
        });
        Cases.add("delete in the loop of a query", (c, db, client) -> {
            for (int n = 0; n < 12; n++) {
                Cases.put(c, "{'id':'" + n + "','pk':'k" + n % 4 + "'}");
            }
            for (ObjectNode d : c.queryItems("SELECT * FROM c WHERE c.id != '3'", new CosmosQueryRequestOptions(), ObjectNode.class)) {
                c.deleteItem(d, new CosmosItemRequestOptions());
            }
            Cases.same(c.queryItems("SELECT VALUE c.id FROM c", new CosmosQueryRequestOptions(), String.class).stream().collect(Collectors.toList()), List.of("3"));
        });
    }
}
