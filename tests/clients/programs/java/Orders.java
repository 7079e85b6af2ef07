import static java.util.Comparator.naturalOrder;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.waiters.WaiterOverrideConfiguration;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.*;

/** A shop's orders through the AWS SDK for Java v2. Prints what it saw as one JSON object. */
public final class Orders {
    private static final int BATCH = 25;
    private static final int SEGMENTS = 4;

    private final DynamoDbClient db;
    private final String table;

    private Orders(DynamoDbClient db, String table) {
        this.db = db;
        this.table = table;
    }

    public static void main(String[] arguments) {
        try (DynamoDbClient db = DynamoDbClient.create()) {
            Orders shop = new Orders(db, arguments[0]);
            Map<String, Object> steps = new LinkedHashMap<>();
            steps.put("table", shop.create());
            steps.put("written", shop.writeAll());
            steps.put("open", shop.openOrders());
            steps.put("latest", shop.latest());
            steps.put("by_total", shop.byTotal());
            steps.put("read", shop.readOne());
            steps.put("refused", shop.putAgain());
            steps.put("updated", shop.pay());
            steps.put("exact", shop.exact());
            steps.put("scan", shop.scanPages());
            steps.put("segments", shop.scanSegments());
            steps.put("archive", shop.fetchArchive(arguments[1], Integer.parseInt(arguments[2])));
            steps.put("invalid", shop.putWithoutSortKey());
            steps.put("dropped", shop.drop());
            System.out.println(Json.of(steps));
        }
    }

    static void everySecond(WaiterOverrideConfiguration.Builder waiting) {
        waiting.maxAttempts(30).backoffStrategyV2(BackoffStrategy.fixedDelayWithoutJitter(Duration.ofSeconds(1)));
    }

    private Object create() {
        db.createTable(request -> request
                .tableName(table)
                .attributeDefinitions(
                        attribute("customer", ScalarAttributeType.S),
                        attribute("order", ScalarAttributeType.S),
                        attribute("total", ScalarAttributeType.N))
                .keySchema(key("customer", KeyType.HASH), key("order", KeyType.RANGE))
                .localSecondaryIndexes(LocalSecondaryIndex.builder()
                        .indexName("by-total")
                        .keySchema(key("customer", KeyType.HASH), key("total", KeyType.RANGE))
                        .projection(with -> with.projectionType(ProjectionType.INCLUDE).nonKeyAttributes("status"))
                        .build())
                .billingMode(BillingMode.PAY_PER_REQUEST));
        db.waiter().waitUntilTableExists(request -> request.tableName(table), Orders::everySecond);
        TableDescription described = db.describeTable(request -> request.tableName(table)).table();
        return Map.of(
                "status", described.tableStatusAsString(),
                "sort_key", described.keySchema().get(1).attributeName(),
                "index", described.localSecondaryIndexes().get(0).indexName());
    }

    private static AttributeDefinition attribute(String name, ScalarAttributeType type) {
        return AttributeDefinition.builder().attributeName(name).attributeType(type).build();
    }

    private static KeySchemaElement key(String name, KeyType type) {
        return KeySchemaElement.builder().attributeName(name).keyType(type).build();
    }

    private static AttributeValue text(String value) {
        return AttributeValue.fromS(value);
    }

    private static AttributeValue number(Number value) {
        return AttributeValue.fromN(value.toString());
    }

    private static Map<String, AttributeValue> key(String customer, String order) {
        return Map.of("customer", text(customer), "order", text(order));
    }

    private static Map<String, AttributeValue> order(String customer, int number) {
        Map<String, AttributeValue> item = new HashMap<>(key(customer, String.format("o%02d", number)));
        item.put("total", number(number * 7 % 20 + 0.5));
        item.put("status", text(number % 3 == 0 ? "open" : "shipped"));
        item.put("note", text("Größe 42, ¥"));
        item.put("lines", AttributeValue.fromL(List.of(
                AttributeValue.fromM(Map.of("sku", text("ski"), "quantity", number(number))))));
        item.put("tags", AttributeValue.fromSs(List.of("gift", "été")));
        item.put("receipt", AttributeValue.fromB(SdkBytes.fromByteArray(new byte[] {(byte) number, 0, (byte) 255})));
        item.put("paid", AttributeValue.fromBool(false));
        item.put("coupon", AttributeValue.fromNul(true));
        return item;
    }

    private int writeAll() {
        List<WriteRequest> left = new ArrayList<>();
        for (int customer = 0; customer < 3; customer++) {
            for (int number = 0; number < 20; number++) {
                Map<String, AttributeValue> item = order("c" + customer, number);
                left.add(WriteRequest.builder().putRequest(put -> put.item(item)).build());
            }
        }
        int written = 0;
        while (!left.isEmpty()) {
            List<WriteRequest> batch = left.subList(0, Math.min(BATCH, left.size()));
            List<WriteRequest> refused = db.batchWriteItem(request -> request.requestItems(Map.of(table, batch)))
                    .unprocessedItems()
                    .getOrDefault(table, List.of());
            written += batch.size() - refused.size();
            List<WriteRequest> next = new ArrayList<>(left.subList(batch.size(), left.size()));
            next.addAll(refused);
            left = next;
        }
        return written;
    }

    private Object openOrders() {
        var pages = db.queryPaginator(request -> request
                .tableName(table)
                .keyConditionExpression("customer = :c")
                .filterExpression("#s = :open")
                .expressionAttributeNames(Map.of("#s", "status"))
                .expressionAttributeValues(Map.of(":c", text("c1"), ":open", text("open")))
                .limit(6)
                .consistentRead(true));
        List<QueryResponse> seen = pages.stream().toList();
        return Map.of(
                "orders", pages.items().stream().map(item -> item.get("order").s()).toList(),
                "pages", seen.size(),
                "examined", seen.stream().mapToInt(QueryResponse::scannedCount).sum());
    }

    private Object latest() {
        QueryResponse found = db.query(request -> request
                .tableName(table)
                .keyConditionExpression("customer = :c AND begins_with(#o, :prefix)")
                .expressionAttributeNames(Map.of("#o", "order"))
                .expressionAttributeValues(Map.of(":c", text("c1"), ":prefix", text("o1")))
                .scanIndexForward(false)
                .limit(3)
                .consistentRead(true));
        return found.items().stream().map(item -> item.get("order").s()).toList();
    }

    private Object byTotal() {
        QueryResponse found = db.query(request -> request
                .tableName(table)
                .indexName("by-total")
                .keyConditionExpression("customer = :c AND #t BETWEEN :low AND :high")
                .expressionAttributeNames(Map.of("#t", "total"))
                .expressionAttributeValues(Map.of(":c", text("c2"), ":low", number(5), ":high", number(9)))
                .consistentRead(true));
        return found.items().stream().map(Orders::orderAndTotal).toList();
    }

    private static Object orderAndTotal(Map<String, AttributeValue> item) {
        return List.of(item.get("order").s(), Double.valueOf(item.get("total").n()), item.get("status").s());
    }

    private Object readOne() {
        Map<String, AttributeValue> item = db.getItem(request -> request
                .tableName(table).key(key("c0", "o05")).consistentRead(true)).item();
        Map<String, Object> read = new LinkedHashMap<>();
        read.put("receipt", HexFormat.of().formatHex(item.get("receipt").b().asByteArray()));
        read.put("tags", item.get("tags").ss().stream().sorted(naturalOrder()).toList());
        read.put("quantity", quantity(item));
        read.put("note", item.get("note").s());
        read.put("paid", item.get("paid").bool());
        read.put("coupon", item.get("coupon").nul() ? null : "");
        return read;
    }

    private static int quantity(Map<String, AttributeValue> item) {
        return Integer.parseInt(item.get("lines").l().get(0).m().get("quantity").n());
    }

    private Object putAgain() {
        try {
            db.putItem(request -> request
                    .tableName(table)
                    .item(order("c0", 3))
                    .conditionExpression("attribute_not_exists(customer)")
                    .returnValuesOnConditionCheckFailure(ReturnValuesOnConditionCheckFailure.ALL_OLD));
        } catch (ConditionalCheckFailedException refusal) {
            return Map.of(
                    "error", refusal.awsErrorDetails().errorCode(),
                    "message", refusal.awsErrorDetails().errorMessage(),
                    "status", refusal.item().get("status").s());
        }
        return Map.of();
    }

    private Object pay() {
        Map<String, AttributeValue> changed = db.updateItem(request -> request
                .tableName(table)
                .key(key("c0", "o04"))
                .updateExpression("SET #s = :paid, #l[0].quantity = #l[0].quantity + :more"
                        + " ADD visits :more REMOVE note")
                .conditionExpression("attribute_exists(note) AND NOT #s = :paid")
                .expressionAttributeNames(Map.of("#s", "status", "#l", "lines"))
                .expressionAttributeValues(Map.of(":paid", text("paid"), ":more", number(2)))
                .returnValues(ReturnValue.UPDATED_NEW)).attributes();
        return Map.of(
                "names", changed.keySet().stream().sorted().toList(),
                "status", changed.get("status").s(),
                "visits", Integer.valueOf(changed.get("visits").n()),
                "quantity", quantity(changed));
    }

    private String exact() {
        Map<String, AttributeValue> item = new HashMap<>(key("c9", "big"));
        item.put("amount", AttributeValue.fromN("12345678901234567890123456789012345678"));
        db.putItem(request -> request.tableName(table).item(item));
        return db.deleteItem(request -> request
                .tableName(table).key(key("c9", "big")).returnValues(ReturnValue.ALL_OLD))
                .attributes().get("amount").n();
    }

    private int[] scan(Consumer<ScanRequest.Builder> question) {
        int[] itemsAndPages = {0, 0};
        db.scanPaginator(request -> question.accept(request.tableName(table).consistentRead(true))).forEach(page -> {
            itemsAndPages[0] += page.count();
            itemsAndPages[1]++;
        });
        return itemsAndPages;
    }

    private Object scanPages() {
        int[] seen = scan(request -> request.limit(25));
        return Map.of("items", seen[0], "pages", seen[1]);
    }

    private int scanSegments() {
        return IntStream.range(0, SEGMENTS).parallel().map(segment -> scan(request -> request
                .segment(segment).totalSegments(SEGMENTS).select(Select.COUNT).limit(10))[0]).sum();
    }

    private Object fetchArchive(String archive, int count) {
        List<Map<String, AttributeValue>> keys =
                IntStream.range(0, count).mapToObj(id -> Map.of("id", number(id))).toList();
        Map<String, KeysAndAttributes> asked =
                Map.of(archive, KeysAndAttributes.builder().keys(keys).consistentRead(true).build());
        Set<String> fetched = new HashSet<>();
        int rounds = 0;
        for (; !asked.isEmpty(); rounds++) {
            Map<String, KeysAndAttributes> now = asked;
            BatchGetItemResponse answer = db.batchGetItem(request -> request.requestItems(now));
            answer.responses().get(archive).forEach(item -> fetched.add(item.get("id").n()));
            asked = answer.unprocessedKeys();
        }
        return Map.of("fetched", fetched.size(), "rounds", rounds);
    }

    private String putWithoutSortKey() {
        try {
            db.putItem(request -> request.tableName(table).item(Map.of("customer", text("c0"))));
        } catch (DynamoDbException refusal) {
            return refusal.awsErrorDetails().errorMessage();
        }
        return "";
    }

    private String drop() {
        db.deleteTable(request -> request.tableName(table));
        db.waiter().waitUntilTableNotExists(request -> request.tableName(table), Orders::everySecond);
        try {
            db.describeTable(request -> request.tableName(table));
        } catch (ResourceNotFoundException refusal) {
            return refusal.awsErrorDetails().errorMessage();
        }
        return "";
    }
}
