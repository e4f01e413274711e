import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.CompositePath;
import com.azure.cosmos.models.CompositePathSortOrder;
import com.azure.cosmos.models.CosmosContainerProperties;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.IndexingPolicy;
import com.azure.cosmos.models.SqlParameter;
import com.azure.cosmos.models.SqlQuerySpec;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Queries over many partitions and ranges, which the client puts together, as Java's sees them. */
final class Queries {
    private static final int NUMBER = 40;

    /** The documents of a case: n counts down, g is one of three groups, and a few have no n. */
    private static void stock(CosmosContainer c) {
        for (int i = 0; i < NUMBER; i++) {
            ObjectNode d = Cases.doc("{'id':'" + i + "','pk':'k" + i % 11 + "','g':'" + "xyzx".charAt(i % 4) + "','tags':['t" + i % 3 + "','all']}");
            c.createItem(i % 10 == 9 ? d : d.put("n", NUMBER - i));
        }
    }

    /** The n of the documents, upwards. */
    private static List<Integer> numbers() {
        return IntStream.range(0, NUMBER).filter(i -> i % 10 != 9).mapToObj(i -> NUMBER - i).sorted().collect(Collectors.toList());
    }

    /** A case of a query, by pages of several sizes. What it returns is compared as JSON; unless it has an order, sorted. */
    private static void ask(String name, String query, boolean ordered, String want, SqlParameter... parameters) {
        ask(name, p -> {}, query, ordered, want, parameters);
    }

    private static void ask(String name, Consumer<CosmosContainerProperties> definition, String query, boolean ordered, String want, SqlParameter... parameters) {
        Cases.add(name, definition, (c, db, client) -> {
            stock(c);
            ArrayNode wanted = (ArrayNode) Cases.JSON.readTree(want.replace('\'', '"'));
            for (int size : new int[] {3, 100}) {
                List<String> got = new ArrayList<>();
                for (var page : c.queryItems(new SqlQuerySpec(query, parameters), new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage(size)) {
                    page.getResults().forEach(d -> got.add(d.toString()));
                }
                List<String> all = new ArrayList<>();
                wanted.forEach(d -> all.add(d.toString()));
                if (!ordered) {
                    got.sort(null);
                    all.sort(null);
                }
                Cases.same(got, all);
            }
        });
    }

    private static void twoPaths(CosmosContainerProperties p) {
        p.setIndexingPolicy(new IndexingPolicy().setCompositeIndexes(List.of(List.of(
            new CompositePath().setPath("/g").setOrder(CompositePathSortOrder.ASCENDING), new CompositePath().setPath("/n").setOrder(CompositePathSortOrder.DESCENDING)))));
    }

    static void cases() {
        String up = numbers().toString();
        List<Integer> downwards = new ArrayList<>(numbers());
        downwards.sort((a, b) -> b - a);
        int sum = numbers().stream().mapToInt(n -> n).sum();
        ask("a filter", "SELECT VALUE c.n FROM c WHERE c.n > 36", false, "[40,39,38,37]");
        ask("parameters", "SELECT VALUE c.n FROM c WHERE c.n > @n AND c.g = @g", false, "[39,35]", new SqlParameter("@n", 34), new SqlParameter("@g", "y"));
        ask("a JOIN", "SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.n > 38", false, "['t0','all','t1','all']");
        ask("ORDER BY", "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n", true, up);
        ask("ORDER BY DESC", "SELECT c.n FROM c WHERE c.n > 37 ORDER BY c.n DESC", true, "[{'n':40},{'n':39},{'n':38}]");
        ask("ORDER BY in a partition by its filter", "SELECT VALUE c.n FROM c WHERE c.pk = 'k0' ORDER BY c.n", true, "[7,18,29,40]");
        ask("ORDER BY two", Queries::twoPaths, "SELECT VALUE c.n FROM c WHERE c.n > 35 ORDER BY c.g, c.n DESC", true, "[40,37,36,39,38]");
        ask("TOP", "SELECT TOP 5 VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC", true, downwards.subList(0, 5).toString());
        ask("TOP from a parameter", "SELECT TOP @k VALUE c.n FROM c WHERE c.n > 0 ORDER BY c.n", true, numbers().subList(0, 4).toString(), new SqlParameter("@k", 4));
        ask("OFFSET LIMIT", "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n OFFSET 5 LIMIT 7", true, numbers().subList(5, 12).toString());
        ask("DISTINCT", "SELECT DISTINCT VALUE c.g FROM c", false, "['x','y','z']");
        ask("DISTINCT of objects", "SELECT DISTINCT c.g FROM c", false, "[{'g':'x'},{'g':'y'},{'g':'z'}]");
        ask("DISTINCT in order", "SELECT DISTINCT VALUE c.g FROM c ORDER BY c.g DESC", true, "['z','y','x']");
        ask("COUNT", "SELECT VALUE COUNT(1) FROM c", true, "[40]");
        ask("COUNT of nothing", "SELECT VALUE COUNT(1) FROM c WHERE c.g = 'none'", true, "[0]");
        ask("SUM", "SELECT VALUE SUM(c.n) FROM c", true, "[" + (double) sum + "]"); // the client adds in doubles
        ask("AVG", "SELECT VALUE AVG(c.n) FROM c", true, "[" + (double) sum / numbers().size() + "]");
        ask("MIN", "SELECT VALUE MIN(c.n) FROM c", true, "[" + numbers().get(0) + "]");
        ask("MAX", "SELECT VALUE MAX(c.n) FROM c", true, "[40]");
        ask("MAX of strings", "SELECT VALUE MAX(c.g) FROM c", true, "['z']");
        ask("aggregates by name", "SELECT COUNT(1) AS many, MAX(c.n) AS most FROM c", true, "[{'many':40,'most':40}]");
        ask("GROUP BY", "SELECT c.g, COUNT(1) AS many FROM c GROUP BY c.g", false, "[{'g':'x','many':20},{'g':'y','many':10},{'g':'z','many':10}]");
        ask("GROUP BY with several aggregates", "SELECT c.g, MIN(c.n) AS least, MAX(c.n) AS most FROM c GROUP BY c.g", false,
            "[{'g':'x','least':4,'most':40},{'g':'y','least':3,'most':39},{'g':'z','least':2,'most':38}]");
        ask("GROUP BY, an aggregate as value", "SELECT VALUE COUNT(1) FROM c GROUP BY c.g", false, "[20,10,10]");
        ask("COUNT of what is distinct", "SELECT COUNT(1) AS n FROM (SELECT DISTINCT VALUE c.g FROM c)", true, "[{'n':3}]");
        Cases.add("pages and their continuation", (c, db, client) -> {
            stock(c);
            goOn(c, "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n", numbers());
            goOn(c, "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n DESC", downwards);
        });
        Cases.add("pages and their continuation, among equals", (c, db, client) -> {
            stock(c);
            List<String> got = pages(c, "SELECT VALUE c.id FROM c ORDER BY c.g DESC", String.class);
            Cases.same(got.size(), NUMBER);
            Cases.same(got.stream().distinct().count(), (long) NUMBER);
        });
        Cases.add("pages and their continuation, without an order", (c, db, client) -> {
            stock(c);
            Cases.same(pages(c, "SELECT VALUE c.id FROM c", String.class).stream().distinct().count(), (long) NUMBER);
        });
        Cases.add("queries that are refused", (c, db, client) -> {
            for (String query : List.of("SELECT FROM", "SELECT NOSUCH(c.n) FROM c", "SELECT VALUE COUNT(1) + 1 FROM c", "SELECT * FROM c ORDER BY c.g, c.n")) {
                Cases.refused(400, () -> c.queryItems(query, new CosmosQueryRequestOptions(), JsonNode.class).stream().count());
            }
        });
        Cases.add("inside a partition, everything", (c, db, client) -> {
            stock(c);
            CosmosQueryRequestOptions inside = new CosmosQueryRequestOptions().setPartitionKey(Cases.key("k0"));
            Cases.same(c.queryItems("SELECT VALUE c.n FROM c ORDER BY c.n", inside, Integer.class).stream().collect(Collectors.toList()), List.of(7, 18, 29, 40));
            Cases.same(c.queryItems("SELECT VALUE COUNT(1) FROM c", inside, Integer.class).stream().collect(Collectors.toList()), List.of(4));
            Cases.same(c.queryItems("SELECT c.g, COUNT(1) AS n FROM c GROUP BY c.g", inside, JsonNode.class).stream().mapToInt(d -> d.get("n").asInt()).sum(), 4);
        });
        Cases.add("what a query costs, and its measures", (c, db, client) -> {
            stock(c);
            for (var page : c.queryItems("SELECT * FROM c WHERE c.n = 1", new CosmosQueryRequestOptions().setQueryMetricsEnabled(true), JsonNode.class).iterableByPage()) {
                Cases.same(page.getRequestCharge() > 0, true);
            }
        });
    }

    private static void goOn(CosmosContainer c, String query, List<Integer> want) {
        Cases.same(pages(c, query, Integer.class), want);
    }

    /** Reads a query by a request a page, each from the last one's continuation. */
    private static <T> List<T> pages(CosmosContainer c, String query, Class<T> as) {
        List<T> got = new ArrayList<>();
        String next = null;
        for (int n = 0; n < 50; n++) {
            var page = c.queryItems(query, new CosmosQueryRequestOptions(), as).iterableByPage(next, 4).iterator().next();
            got.addAll(page.getResults());
            next = page.getContinuationToken();
            if (next == null) {
                break;
            }
        }
        return got;
    }
}
