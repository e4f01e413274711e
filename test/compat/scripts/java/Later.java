import com.azure.cosmos.CosmosAsyncClient;
import com.azure.cosmos.CosmosAsyncContainer;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.models.CosmosBatch;
import com.azure.cosmos.models.CosmosChangeFeedRequestOptions;
import com.azure.cosmos.models.CosmosItemIdentity;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosPatchOperations;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.FeedRange;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import reactor.core.publisher.Flux;

/** What the service does, as Java's client without waiting sees it. */
final class Later {
    interface Play {
        void play(CosmosAsyncContainer c) throws Exception;
    }

    private static void add(String name, Play play) {
        Cases.add("later: " + name, (c, db, client) -> {
            try (CosmosAsyncClient own = new CosmosClientBuilder().endpoint(System.getenv("COSMOS_ENDPOINT")).key(Cases.KEY).gatewayMode().contentResponseOnWriteEnabled(true).buildAsyncClient()) {
                play.play(own.getDatabase(db.getId()).getContainer(c.getId()));
            }
        });
    }

    /** Thirty documents, n from 0, all under way at once. */
    private static void stock(CosmosAsyncContainer c) {
        Flux.range(0, 30).flatMap(n -> c.createItem(Cases.doc("{'id':'" + n + "','pk':'k" + n % 7 + "','n':" + n + "}"))).blockLast();
    }

    private static <T> List<T> ask(CosmosAsyncContainer c, String query, Class<T> as) {
        return c.queryItems(query, new CosmosQueryRequestOptions(), as).collectList().block();
    }

    static void cases() {
        add("create, read, replace, delete", c -> {
            Cases.same(c.createItem(Cases.doc("{'id':'1','pk':'a'}")).block().getStatusCode(), 201);
            Cases.same(c.readItem("1", Cases.key("a"), ObjectNode.class).block().getItem().get("id").asText(), "1");
            Cases.same(c.replaceItem(Cases.doc("{'id':'1','pk':'a','n':1}"), "1", Cases.key("a")).block().getStatusCode(), 200);
            Cases.same(c.deleteItem("1", Cases.key("a")).block().getStatusCode(), 204);
            Cases.refused(404, () -> c.readItem("1", Cases.key("a"), ObjectNode.class).block());
        });
        add("one of many wins", c -> {
            String first = c.createItem(Cases.doc("{'id':'1','pk':'a'}")).block().getETag();
            CosmosItemRequestOptions unchanged = new CosmosItemRequestOptions().setIfMatchETag(first);
            long won = Flux.range(0, 8).flatMap(n -> c.replaceItem(Cases.doc("{'id':'1','pk':'a','n':" + n + "}"), "1", Cases.key("a"), unchanged).map(r -> 1).onErrorReturn(0)).filter(n -> n == 1).count().block();
            Cases.same(won, 1L);
        });
        add("patch", c -> {
            c.createItem(Cases.doc("{'id':'1','pk':'a','n':1,'gone':1}")).block();
            ObjectNode got = c.patchItem("1", Cases.key("a"), CosmosPatchOperations.create().increment("/n", 4).remove("/gone"), ObjectNode.class).block().getItem();
            Cases.same(Cases.bare(got), Cases.doc("{'id':'1','pk':'a','n':5}"));
        });
        add("a batch", c -> {
            CosmosBatch b = CosmosBatch.createCosmosBatch(Cases.key("a"));
            b.createItemOperation(Cases.doc("{'id':'1','pk':'a'}"));
            b.createItemOperation(Cases.doc("{'id':'1','pk':'a'}"));
            Cases.same(c.executeCosmosBatch(b).block().getResults().stream().map(r -> r.getStatusCode()).collect(Collectors.toList()), List.of(424, 409));
        });
        add("ORDER BY", c -> {
            stock(c);
            Cases.same(ask(c, "SELECT VALUE c.n FROM c ORDER BY c.n DESC OFFSET 2 LIMIT 3", Integer.class), List.of(27, 26, 25));
        });
        add("aggregates and GROUP BY", c -> {
            stock(c);
            Cases.same(ask(c, "SELECT VALUE AVG(c.n) FROM c", Double.class), List.of(14.5));
            Cases.same(ask(c, "SELECT c.pk, COUNT(1) AS many FROM c GROUP BY c.pk", JsonNode.class).stream().mapToInt(d -> d.get("many").asInt()).sum(), 30);
        });
        add("readMany", c -> {
            stock(c);
            List<CosmosItemIdentity> wanted = IntStream.range(0, 15).mapToObj(n -> new CosmosItemIdentity(Cases.key("k" + n % 7), "" + n)).collect(Collectors.toList());
            Cases.same(c.readMany(wanted, ObjectNode.class).block().getResults().size(), 15);
        });
        add("the change feed", c -> {
            stock(c);
            Cases.same(c.queryChangeFeed(CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(FeedRange.forFullRange()), ObjectNode.class).count().block(), 30L);
        });
    }
}
