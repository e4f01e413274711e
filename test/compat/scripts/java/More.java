import com.azure.cosmos.ChangeFeedProcessor;
import com.azure.cosmos.ChangeFeedProcessorBuilder;
import com.azure.cosmos.CosmosAsyncClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.ChangeFeedProcessorItem;
import com.azure.cosmos.models.ChangeFeedProcessorOptions;
import com.azure.cosmos.models.CosmosChangeFeedRequestOptions;
import com.azure.cosmos.models.CosmosContainerProperties;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.CosmosStoredProcedureProperties;
import com.azure.cosmos.models.ExcludedPath;
import com.azure.cosmos.models.FeedRange;
import com.azure.cosmos.models.IncludedPath;
import com.azure.cosmos.models.IndexingPolicy;
import com.azure.cosmos.models.PartitionKey;
import com.azure.cosmos.models.PartitionKeyBuilder;
import com.azure.cosmos.models.PartitionKeyDefinition;
import com.azure.cosmos.models.PartitionKeyDefinitionVersion;
import com.azure.cosmos.models.PartitionKind;
import com.azure.cosmos.models.ThroughputProperties;
import com.azure.cosmos.models.UniqueKey;
import com.azure.cosmos.models.UniqueKeyPolicy;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.Collectors;

/** What the service does with containers, keys, life times and changes, as its client for Java sees it. */
final class More {
    static void cases() {
        resources();
        keys();
        changes();
    }

    private static void resources() {
        Cases.add("databases", (c, db, client) -> {
            client.createDatabaseIfNotExists("second");
            Cases.refused(409, () -> client.createDatabase("second"));
            Cases.same(client.readAllDatabases().stream().anyMatch(d -> d.getId().equals("second")), true);
            Cases.same(client.queryDatabases("SELECT * FROM r WHERE r.id = 'second'", new CosmosQueryRequestOptions()).stream().count(), 1L);
            client.getDatabase("second").delete();
            Cases.refused(404, () -> client.getDatabase("second").read());
        });
        Cases.add("containers", (c, db, client) -> {
            db.createContainerIfNotExists("made", "/a");
            Cases.refused(409, () -> db.createContainer("made", "/a"));
            CosmosContainerProperties p = db.getContainer("made").read().getProperties();
            Cases.same(p.getPartitionKeyDefinition().getPaths(), List.of("/a"));
            Cases.same(db.getContainer("made").replace(p.setDefaultTimeToLiveInSeconds(60)).getProperties().getDefaultTimeToLiveInSeconds(), 60);
            Cases.same(db.readAllContainers().stream().anyMatch(x -> x.getId().equals("made")), true);
            Cases.same(db.queryContainers("SELECT * FROM c WHERE c.id = 'made'").stream().count(), 1L);
            db.getContainer("made").delete();
            Cases.refused(404, () -> db.getContainer("made").read());
        });
        Cases.add("a container made anew under its name", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}");
            c.delete();
            db.createContainer(c.getId(), "/pk");
            Cases.same(db.getContainer(c.getId()).createItem(Cases.doc("{'id':'1','pk':'a'}")).getStatusCode(), 201);
        });
        Cases.add("an index policy", p -> p.setIndexingPolicy(new IndexingPolicy().setIncludedPaths(List.of(new IncludedPath("/a/?"))).setExcludedPaths(List.of(new ExcludedPath("/*")))), (c, db, client) -> {
            IndexingPolicy policy = c.read().getProperties().getIndexingPolicy();
            Cases.same(policy.getExcludedPaths().stream().map(ExcludedPath::getPath).collect(Collectors.toList()), List.of("/*", "/\"_etag\"/?"));
            Cases.refused(400, () -> c.queryItems("SELECT * FROM c ORDER BY c.b", new CosmosQueryRequestOptions(), ObjectNode.class).stream().count());
            c.queryItems("SELECT * FROM c ORDER BY c.a", new CosmosQueryRequestOptions(), ObjectNode.class).stream().count();
        });
        Cases.add("unique keys", p -> p.setUniqueKeyPolicy(new UniqueKeyPolicy().setUniqueKeys(List.of(new UniqueKey(List.of("/email"))))), (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a','email':'x'}");
            Cases.refused(409, () -> c.createItem(Cases.doc("{'id':'2','pk':'a','email':'x'}")));
            c.createItem(Cases.doc("{'id':'2','pk':'b','email':'x'}"));
        });
        Cases.add("a time to live", p -> p.setDefaultTimeToLiveInSeconds(-1), (c, db, client) -> {
            Cases.put(c, "{'id':'short','pk':'a','ttl':1}", "{'id':'ever','pk':'a'}");
            long end = System.currentTimeMillis() + 5000;
            while (c.readAllItems(Cases.key("a"), ObjectNode.class).stream().count() > 1) {
                Cases.same(System.currentTimeMillis() < end, true);
                Thread.sleep(100);
            }
            Cases.refused(404, () -> c.readItem("short", Cases.key("a"), ObjectNode.class));
        });
        Cases.add("throughput, manual", (c, db, client) -> {
            db.createContainer(new CosmosContainerProperties("sold", "/pk"), ThroughputProperties.createManualThroughput(400));
            CosmosContainer sold = db.getContainer("sold");
            Cases.same(sold.readThroughput().getProperties().getManualThroughput(), 400);
            Cases.same(sold.replaceThroughput(ThroughputProperties.createManualThroughput(600)).getProperties().getManualThroughput(), 600);
            sold.delete();
        });
        Cases.add("throughput, autoscale", (c, db, client) -> {
            db.createContainer(new CosmosContainerProperties("scaled", "/pk"), ThroughputProperties.createAutoscaledThroughput(2000));
            CosmosContainer scaled = db.getContainer("scaled");
            Cases.same(scaled.readThroughput().getProperties().getAutoscaleMaxThroughput(), 2000);
            Cases.same(scaled.replaceThroughput(ThroughputProperties.createAutoscaledThroughput(4000)).getProperties().getAutoscaleMaxThroughput(), 4000);
            scaled.delete();
        });
        Cases.add("what is not supported here", (c, db, client) -> {
            Cases.same(c.getScripts().readAllStoredProcedures().stream().count(), 0L);
            Cases.refused(405, () -> c.getScripts().createStoredProcedure(new CosmosStoredProcedureProperties("s", "function () {}")));
            Cases.refused(405, () -> c.deleteAllItemsByPartitionKey(Cases.key("a"), new CosmosItemRequestOptions()));
            Cases.refused(400, () -> c.createItem(Cases.doc("{'id':'1','pk':'a'}"), new CosmosItemRequestOptions().setPreTriggerInclude(List.of("t"))));
        });
    }

    private static void keys() {
        Cases.add("a hierarchical key", p -> p.setPartitionKeyDefinition(hierarchy("/tenant", "/user")), (c, db, client) -> {
            for (String t : List.of("s", "t")) {
                for (String u : List.of("u", "v", "w")) {
                    c.createItem(Cases.doc("{'id':'1','tenant':'" + t + "','user':'" + u + "'}"));
                }
            }
            PartitionKey whole = new PartitionKeyBuilder().add("t").add("v").build();
            Cases.same(c.readItem("1", whole, ObjectNode.class).getItem().get("user").asText(), "v");
            CosmosQueryRequestOptions prefix = new CosmosQueryRequestOptions().setPartitionKey(new PartitionKeyBuilder().add("t").build());
            Cases.same(c.queryItems("SELECT * FROM c", prefix, ObjectNode.class).stream().count(), 3L);
            Cases.same(c.queryItems("SELECT VALUE c.user FROM c ORDER BY c.user", prefix, String.class).stream().collect(Collectors.toList()), List.of("u", "v", "w"));
            Cases.same(c.queryItems("SELECT VALUE COUNT(1) FROM c", new CosmosQueryRequestOptions(), Integer.class).stream().collect(Collectors.toList()), List.of(6));
        });
        Cases.add("version 1 of a key", p -> p.setPartitionKeyDefinition(new PartitionKeyDefinition().setPaths(List.of("/pk")).setVersion(PartitionKeyDefinitionVersion.V1)), (c, db, client) -> {
            for (int n = 0; n < 10; n++) {
                Cases.put(c, "{'id':'" + n + "','pk':'k" + n + "'}");
            }
            Cases.same(c.read().getProperties().getPartitionKeyDefinition().getVersion(), PartitionKeyDefinitionVersion.V1);
            Cases.same(c.queryItems("SELECT * FROM c ORDER BY c.id", new CosmosQueryRequestOptions(), ObjectNode.class).stream().count(), 10L);
        });
        Cases.add("feed ranges", (c, db, client) -> {
            for (int n = 0; n < 20; n++) {
                Cases.put(c, "{'id':'" + n + "','pk':'k" + n + "'}");
            }
            long found = 0;
            for (FeedRange r : c.getFeedRanges()) {
                found += c.queryItems("SELECT VALUE c.id FROM c ORDER BY c.id", new CosmosQueryRequestOptions().setFeedRange(r), String.class).stream().count();
            }
            Cases.same(found, 20L);
        });
    }

    private static PartitionKeyDefinition hierarchy(String... paths) {
        return new PartitionKeyDefinition().setPaths(List.of(paths)).setKind(PartitionKind.MULTI_HASH).setVersion(PartitionKeyDefinitionVersion.V2);
    }

    /** What a change feed has now, and where it goes on. */
    private static String drain(CosmosContainer c, CosmosChangeFeedRequestOptions start, List<String> ids) {
        String next = null;
        for (var page : c.queryChangeFeed(start, ObjectNode.class).iterableByPage()) {
            page.getResults().forEach(d -> ids.add(d.get("id").asText()));
            next = page.getContinuationToken();
        }
        return next;
    }

    private static List<String> changed(CosmosContainer c, CosmosChangeFeedRequestOptions start) {
        List<String> ids = new ArrayList<>();
        drain(c, start, ids);
        return ids.stream().sorted().collect(Collectors.toList());
    }

    private static void changes() {
        Cases.add("the change feed from its beginning, and on", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}", "{'id':'2','pk':'b'}", "{'id':'3','pk':'c'}");
            List<String> ids = new ArrayList<>();
            String next = drain(c, CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(FeedRange.forFullRange()), ids);
            Cases.same(ids.stream().sorted().collect(Collectors.toList()), List.of("1", "2", "3"));
            Cases.put(c, "{'id':'2','pk':'b','n':1}", "{'id':'4','pk':'d'}");
            Cases.same(changed(c, CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(next)), List.of("2", "4"));
        });
        Cases.add("the change feed of a key, from now and from a time", (c, db, client) -> {
            Cases.put(c, "{'id':'1','pk':'a'}", "{'id':'2','pk':'b'}");
            Cases.same(changed(c, CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(FeedRange.forLogicalPartition(Cases.key("b")))), List.of("2"));
            Cases.same(changed(c, CosmosChangeFeedRequestOptions.createForProcessingFromNow(FeedRange.forFullRange())), List.of());
            Cases.same(changed(c, CosmosChangeFeedRequestOptions.createForProcessingFromPointInTime(Instant.now().minusSeconds(3600), FeedRange.forFullRange())), List.of("1", "2"));
        });
        Cases.add("a change feed processor", (c, db, client) -> {
            Set<String> seen = new ConcurrentSkipListSet<>();
            processed(c, db.getId(), b -> b.handleChanges((List<JsonNode> list) -> list.forEach(d -> seen.add(d.get("id").asText()))), seen);
        });
        Cases.add("a change feed processor with metadata", (c, db, client) -> {
            Set<String> seen = new ConcurrentSkipListSet<>();
            processed(c, db.getId(), b -> b.handleLatestVersionChanges((List<ChangeFeedProcessorItem> list) -> list.forEach(x -> seen.add(x.getCurrent().get("id").asText()))), seen);
        });
    }

    private interface Handle {
        ChangeFeedProcessorBuilder on(ChangeFeedProcessorBuilder b);
    }

    /** Writes before and after a processor starts, and waits until it has seen both. */
    private static void processed(CosmosContainer c, String database, Handle handle, Set<String> seen) throws Exception {
        Cases.put(c, "{'id':'before','pk':'a'}");
        try (CosmosAsyncClient client = new CosmosClientBuilder().endpoint(System.getenv("COSMOS_ENDPOINT")).key(Cases.KEY).gatewayMode().contentResponseOnWriteEnabled(true).buildAsyncClient()) {
            String leases = "leases-" + c.getId();
            client.getDatabase(database).createContainer(leases, "/id").block();
            ChangeFeedProcessorOptions options = new ChangeFeedProcessorOptions().setFeedPollDelay(Duration.ofMillis(100)).setLeaseAcquireInterval(Duration.ofMillis(300)).setStartFromBeginning(true);
            ChangeFeedProcessor p = handle.on(new ChangeFeedProcessorBuilder().hostName("one").feedContainer(client.getDatabase(database).getContainer(c.getId())).leaseContainer(client.getDatabase(database).getContainer(leases)).options(options)).buildChangeFeedProcessor();
            p.start().block();
            Cases.put(c, "{'id':'after','pk':'b'}");
            long end = System.currentTimeMillis() + 15000;
            while (!seen.containsAll(List.of("before", "after"))) {
                Cases.same(System.currentTimeMillis() < end, true);
                Thread.sleep(50);
            }
            p.stop().block();
        }
    }
}
