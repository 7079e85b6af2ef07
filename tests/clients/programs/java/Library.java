import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import software.amazon.awssdk.enhanced.dynamodb.DynamoDbEnhancedClient;
import software.amazon.awssdk.enhanced.dynamodb.DynamoDbTable;
import software.amazon.awssdk.enhanced.dynamodb.Expression;
import software.amazon.awssdk.enhanced.dynamodb.Key;
import software.amazon.awssdk.enhanced.dynamodb.TableSchema;
import software.amazon.awssdk.enhanced.dynamodb.extensions.annotations.DynamoDbVersionAttribute;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbBean;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbPartitionKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSecondarySortKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSortKey;
import software.amazon.awssdk.enhanced.dynamodb.model.BatchWriteItemEnhancedRequest;
import software.amazon.awssdk.enhanced.dynamodb.model.Page;
import software.amazon.awssdk.enhanced.dynamodb.model.PutItemEnhancedRequest;
import software.amazon.awssdk.enhanced.dynamodb.model.QueryConditional;
import software.amazon.awssdk.enhanced.dynamodb.model.QueryEnhancedRequest;
import software.amazon.awssdk.enhanced.dynamodb.model.ReadBatch;
import software.amazon.awssdk.enhanced.dynamodb.model.WriteBatch;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ConditionalCheckFailedException;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.waiters.DynamoDbWaiter;

/** A library's books through the enhanced client of the AWS SDK for Java v2. Prints what it saw as one JSON object. */
public final class Library {
    private static final int BATCH = 25;
    private static final TableSchema<Book> SCHEMA = TableSchema.fromBean(Book.class);

    private final DynamoDbEnhancedClient db = DynamoDbEnhancedClient.create();
    /** Batches cannot carry the conditions that versions need. */
    private final DynamoDbEnhancedClient unversioned = DynamoDbEnhancedClient.builder().extensions().build();
    private final DynamoDbTable<Book> books;
    private final DynamoDbTable<Book> batched;

    private Library(String table) {
        books = db.table(table, SCHEMA);
        batched = unversioned.table(table, SCHEMA);
    }

    /** A book; its version is counted by the client, which refuses to overwrite what it has not read. */
    @DynamoDbBean
    public static final class Book {
        private String author;
        private String title;
        private Integer year;
        private Boolean lent;
        private Set<String> tags;
        private List<Map<String, String>> readers;
        private Instant bought;
        private String note;
        private Long version;

        @DynamoDbPartitionKey
        public String getAuthor() { return author; }
        public void setAuthor(String value) { author = value; }

        @DynamoDbSortKey
        public String getTitle() { return title; }
        public void setTitle(String value) { title = value; }

        @DynamoDbSecondarySortKey(indexNames = "by-year")
        public Integer getYear() { return year; }
        public void setYear(Integer value) { year = value; }

        public Boolean getLent() { return lent; }
        public void setLent(Boolean value) { lent = value; }

        public Set<String> getTags() { return tags; }
        public void setTags(Set<String> value) { tags = value; }

        public List<Map<String, String>> getReaders() { return readers; }
        public void setReaders(List<Map<String, String>> value) { readers = value; }

        public Instant getBought() { return bought; }
        public void setBought(Instant value) { bought = value; }

        public String getNote() { return note; }
        public void setNote(String value) { note = value; }

        @DynamoDbVersionAttribute
        public Long getVersion() { return version; }
        public void setVersion(Long value) { version = value; }
    }

    public static void main(String[] arguments) {
        Library library = new Library(arguments[0]);
        Map<String, Object> steps = new LinkedHashMap<>();
        steps.put("index", library.create());
        steps.put("unprocessed", library.writeAll());
        steps.put("lent", library.lent());
        steps.put("by_year", library.byYear());
        steps.put("read", library.readOne());
        steps.put("refused", library.putAgain());
        steps.put("two_writers", library.twoWriters());
        steps.put("fetched", library.fetchSome());
        steps.put("scanned", library.books.scan(scan -> scan.limit(25).consistentRead(true)).items().stream().count());
        steps.put("deleted", library.books.deleteItem(key("Musil", "Book 01")).getYear());
        library.books.deleteTable();
        System.out.println(Json.of(steps));
    }

    private static Key key(String author, String title) {
        return Key.builder().partitionValue(author).sortValue(title).build();
    }

    private static Book book(String author, int number) {
        Book book = new Book();
        book.setAuthor(author);
        book.setTitle(String.format("Book %02d", number));
        book.setYear(1900 + number * 7 % 20);
        book.setLent(number % 3 == 0);
        book.setTags(Set.of("ski", "été"));
        book.setReaders(List.of(Map.of("name", "Ada")));
        book.setBought(Instant.ofEpochSecond(1_000_000_000L + number));
        book.setNote("Regal 7");
        return book;
    }

    private String create() {
        books.createTable(request -> request.localSecondaryIndices(index -> index
                .indexName("by-year")
                .projection(with -> with.projectionType(ProjectionType.ALL))));
        try (var waiter = DynamoDbWaiter.create()) {
            waiter.waitUntilTableExists(request -> request.tableName(books.tableName()), Orders::everySecond);
        }
        return books.describeTable().table().localSecondaryIndexes().get(0).indexName();
    }

    private int writeAll() {
        List<Book> all = new ArrayList<>();
        for (String author : List.of("Rilke", "Kafka", "Musil")) {
            for (int number = 0; number < 20; number++) {
                all.add(book(author, number));
            }
        }
        int unprocessed = 0;
        for (int start = 0; start < all.size(); start += BATCH) {
            WriteBatch.Builder<Book> puts = WriteBatch.builder(Book.class).mappedTableResource(batched);
            all.subList(start, Math.min(start + BATCH, all.size())).forEach(puts::addPutItem);
            var batch = BatchWriteItemEnhancedRequest.builder().addWriteBatch(puts.build()).build();
            unprocessed += unversioned.batchWriteItem(batch).unprocessedPutItemsForTable(batched).size();
        }
        return unprocessed;
    }

    private Object lent() {
        QueryEnhancedRequest question = QueryEnhancedRequest.builder()
                .queryConditional(QueryConditional.keyEqualTo(Key.builder().partitionValue("Rilke").build()))
                .filterExpression(Expression.builder()
                        .expression("lent = :yes").putExpressionValue(":yes", AttributeValue.fromBool(true)).build())
                .limit(6)
                .consistentRead(true)
                .build();
        List<Page<Book>> pages = books.query(question).stream().toList();
        List<String> titles = pages.stream().flatMap(page -> page.items().stream()).map(Book::getTitle).toList();
        return Map.of("titles", titles, "pages", pages.size());
    }

    private Object byYear() {
        QueryConditional between = QueryConditional.sortBetween(
                Key.builder().partitionValue("Kafka").sortValue(1905).build(),
                Key.builder().partitionValue("Kafka").sortValue(1909).build());
        return books.index("by-year")
                .query(request -> request.queryConditional(between).scanIndexForward(false).consistentRead(true))
                .stream().flatMap(page -> page.items().stream())
                .map(book -> List.of(book.getTitle(), book.getYear())).toList();
    }

    private Book read(String author, String title) {
        return books.getItem(request -> request.key(key(author, title)).consistentRead(true));
    }

    private Object readOne() {
        Book book = read("Musil", "Book 05");
        return Map.of(
                "tags", new TreeSet<>(book.getTags()),
                "readers", book.getReaders(),
                "bought", book.getBought().toString(),
                "lent", book.getLent(),
                "version", String.valueOf(book.getVersion()));
    }

    private String putAgain() {
        try {
            books.putItem(PutItemEnhancedRequest.builder(Book.class)
                    .item(book("Kafka", 1))
                    .conditionExpression(Expression.builder().expression("attribute_not_exists(author)").build())
                    .build());
        } catch (ConditionalCheckFailedException refusal) {
            return refusal.awsErrorDetails().errorMessage();
        }
        return "";
    }

    /** Both read the same version: the second to write is refused. */
    private Object twoWriters() {
        Book fresh = book("Broch", 0);
        books.putItem(fresh);
        Book mine = read("Broch", "Book 00");
        Book theirs = read("Broch", "Book 00");
        mine.setNote(null);
        mine.setLent(true);
        Book changed = books.updateItem(mine);
        try {
            books.updateItem(theirs);
        } catch (ConditionalCheckFailedException refusal) {
            return Map.of(
                    "versions", List.of(theirs.getVersion(), changed.getVersion()),
                    "note", String.valueOf(changed.getNote()),
                    "loser", refusal.awsErrorDetails().errorCode());
        }
        return Map.of();
    }

    private int fetchSome() {
        ReadBatch.Builder<Book> batch = ReadBatch.builder(Book.class).mappedTableResource(books);
        for (int number = 0; number < 40; number++) {
            Key key = key("Rilke", String.format("Book %02d", number));
            batch.addGetItem(get -> get.key(key).consistentRead(true));
        }
        var found = db.batchGetItem(request -> request.addReadBatch(batch.build()));
        return (int) found.resultsForTable(books).stream().count();
    }
}
