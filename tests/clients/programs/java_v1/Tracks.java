import com.amazonaws.ClientConfiguration;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDB;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDBClientBuilder;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBAttribute;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBHashKey;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBIndexRangeKey;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBMapper;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBMapperConfig;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBQueryExpression;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBRangeKey;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBSaveExpression;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBScanExpression;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBTable;
import com.amazonaws.services.dynamodbv2.datamodeling.DynamoDBVersionAttribute;
import com.amazonaws.services.dynamodbv2.datamodeling.QueryResultPage;
import com.amazonaws.services.dynamodbv2.model.AttributeAction;
import com.amazonaws.services.dynamodbv2.model.AttributeValue;
import com.amazonaws.services.dynamodbv2.model.AttributeValueUpdate;
import com.amazonaws.services.dynamodbv2.model.ComparisonOperator;
import com.amazonaws.services.dynamodbv2.model.Condition;
import com.amazonaws.services.dynamodbv2.model.ConditionalCheckFailedException;
import com.amazonaws.services.dynamodbv2.model.ConditionalOperator;
import com.amazonaws.services.dynamodbv2.model.CreateTableRequest;
import com.amazonaws.services.dynamodbv2.model.ExpectedAttributeValue;
import com.amazonaws.services.dynamodbv2.model.GetItemRequest;
import com.amazonaws.services.dynamodbv2.model.Projection;
import com.amazonaws.services.dynamodbv2.model.ProjectionType;
import com.amazonaws.services.dynamodbv2.model.ProvisionedThroughput;
import com.amazonaws.services.dynamodbv2.model.ReturnValue;
import com.amazonaws.services.dynamodbv2.model.UpdateItemRequest;
import com.amazonaws.services.dynamodbv2.util.TableUtils;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A music library through DynamoDBMapper of the AWS SDK for Java 1, which speaks the API from before expressions:
 * Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter, AttributesToGet. Prints what it saw as one JSON
 * object.
 */
public final class Tracks {
    private static final int WAIT_MS = 30_000;
    private static final int LOOK_EVERY_MS = 100;

    private final String table;
    private final AmazonDynamoDB db;
    private final DynamoDBMapper mapper;

    private Tracks(String table) {
        this.table = table;
        String endpoint = System.getenv("AWS_ENDPOINT_URL_DYNAMODB"); // version 1 does not read it by itself
        db = AmazonDynamoDBClientBuilder.standard()
                .withClientConfiguration(new ClientConfiguration().withGzip(true))
                .withEndpointConfiguration(new EndpointConfiguration(endpoint, System.getenv("AWS_REGION")))
                .build();
        mapper = new DynamoDBMapper(db, DynamoDBMapperConfig.builder()
                .withTableNameOverride(DynamoDBMapperConfig.TableNameOverride.withTableNameReplacement(table))
                .withConsistentReads(DynamoDBMapperConfig.ConsistentReads.CONSISTENT)
                .build());
    }

    /** A track of an artist's; the mapper counts its version and refuses to overwrite what it has not read. */
    @DynamoDBTable(tableName = "replaced")
    public static final class Track {
        private String artist;
        private String title;
        private Integer plays;
        private Boolean live;
        private Set<String> genres;
        private List<Integer> ratings;
        private String note;
        private Long version;

        @DynamoDBHashKey
        public String getArtist() { return artist; }
        public void setArtist(String value) { artist = value; }

        @DynamoDBRangeKey
        public String getTitle() { return title; }
        public void setTitle(String value) { title = value; }

        @DynamoDBIndexRangeKey(localSecondaryIndexName = "by-plays")
        public Integer getPlays() { return plays; }
        public void setPlays(Integer value) { plays = value; }

        @DynamoDBAttribute
        public Boolean getLive() { return live; }
        public void setLive(Boolean value) { live = value; }

        @DynamoDBAttribute
        public Set<String> getGenres() { return genres; }
        public void setGenres(Set<String> value) { genres = value; }

        @DynamoDBAttribute
        public List<Integer> getRatings() { return ratings; }
        public void setRatings(List<Integer> value) { ratings = value; }

        @DynamoDBAttribute
        public String getNote() { return note; }
        public void setNote(String value) { note = value; }

        @DynamoDBVersionAttribute
        public Long getVersion() { return version; }
        public void setVersion(Long value) { version = value; }
    }

    public static void main(String[] arguments) throws InterruptedException {
        Tracks tracks = new Tracks(arguments[0]);
        Map<String, Object> steps = new LinkedHashMap<>();
        steps.put("created", tracks.create());
        steps.put("unwritten", tracks.writeAll());
        steps.put("live", tracks.live());
        steps.put("either", tracks.either());
        steps.put("most_played", tracks.mostPlayed());
        steps.put("two_writers", tracks.twoWriters());
        steps.put("expected", tracks.expected());
        steps.put("updated", tracks.update());
        steps.put("some", tracks.readSome());
        steps.put("fetched", tracks.fetchSome());
        steps.put("scanned", tracks.scanAll());
        steps.put("deleted", tracks.delete());
        steps.put("dropped", tracks.db.deleteTable(tracks.table).getTableDescription().getTableStatus());
        System.out.println(Json.of(steps));
    }

    private boolean create() throws InterruptedException {
        CreateTableRequest request = mapper.generateCreateTableRequest(Track.class)
                .withProvisionedThroughput(new ProvisionedThroughput(50L, 50L));
        Projection whole = new Projection().withProjectionType(ProjectionType.ALL);
        request.getLocalSecondaryIndexes().forEach(index -> index.setProjection(whole));
        boolean created = TableUtils.createTableIfNotExists(db, request);
        TableUtils.waitUntilActive(db, table, WAIT_MS, LOOK_EVERY_MS);
        return created;
    }

    private static Track track(String artist, int number) {
        Track track = new Track();
        track.setArtist(artist);
        track.setTitle(String.format("Track %02d", number));
        track.setPlays(number * 11 % 20);
        track.setLive(number % 4 == 0);
        track.setGenres(Set.of("jazz", "été"));
        track.setRatings(List.of(5, number));
        track.setNote("Größe 42");
        return track;
    }

    private int writeAll() {
        List<Track> all = new ArrayList<>();
        for (String artist : List.of("Nina", "Ella", "Billie")) {
            for (int number = 0; number < 20; number++) {
                all.add(track(artist, number));
            }
        }
        return mapper.batchSave(all).size();
    }

    private static Condition condition(ComparisonOperator operator, AttributeValue... values) {
        return new Condition().withComparisonOperator(operator).withAttributeValueList(values);
    }

    private static AttributeValue number(int value) {
        return new AttributeValue().withN(String.valueOf(value));
    }

    /** KeyConditions and QueryFilter, in pages of eight; the mapper writes booleans as 0 and 1. */
    private Object live() {
        DynamoDBQueryExpression<Track> question = query("Nina")
                .withQueryFilterEntry("live", condition(ComparisonOperator.EQ, number(1)))
                .withLimit(8);
        List<String> titles = new ArrayList<>();
        int pages = 0;
        int examined = 0;
        Map<String, AttributeValue> place = null;
        do {
            QueryResultPage<Track> page = mapper.queryPage(Track.class, question.withExclusiveStartKey(place));
            page.getResults().forEach(track -> titles.add(track.getTitle()));
            examined += page.getScannedCount();
            place = page.getLastEvaluatedKey();
            pages++;
        } while (place != null);
        return Map.of("titles", titles, "pages", pages, "examined", examined);
    }

    private static DynamoDBQueryExpression<Track> query(String artist) {
        Track key = new Track();
        key.setArtist(artist);
        return new DynamoDBQueryExpression<Track>().withHashKeyValues(key).withConsistentRead(true);
    }

    private Object either() {
        Condition tens = condition(ComparisonOperator.BEGINS_WITH, new AttributeValue("Track 1"));
        return mapper.query(Track.class, query("Ella")
                        .withRangeKeyCondition("title", tens)
                        .withQueryFilterEntry("plays", condition(ComparisonOperator.GT, number(17)))
                        .withQueryFilterEntry("live", condition(ComparisonOperator.EQ, number(1)))
                        .withConditionalOperator(ConditionalOperator.OR))
                .stream().map(Track::getTitle).toList();
    }

    private Object mostPlayed() {
        return mapper.query(Track.class, query("Ella")
                        .withIndexName("by-plays")
                        .withRangeKeyCondition("plays", condition(ComparisonOperator.BETWEEN, number(15), number(18)))
                        .withScanIndexForward(false))
                .stream().map(track -> List.of(track.getTitle(), track.getPlays())).toList();
    }

    /** AttributeUpdates with Expected: the second writer has not read what the first wrote. */
    private Object twoWriters() {
        mapper.save(track("Odetta", 0));
        Track mine = mapper.load(Track.class, "Odetta", "Track 00");
        Track theirs = mapper.load(Track.class, "Odetta", "Track 00");
        mine.setPlays(1000);
        mine.setNote(null);
        mapper.save(mine);
        theirs.setPlays(7);
        String loser = "";
        try {
            mapper.save(theirs);
        } catch (ConditionalCheckFailedException refusal) {
            loser = refusal.getErrorCode() + ": " + refusal.getErrorMessage();
        }
        Track stored = mapper.load(Track.class, "Odetta", "Track 00");
        return Map.of(
                "loser", loser,
                "plays", stored.getPlays(),
                "note", String.valueOf(stored.getNote()),
                "version", stored.getVersion());
    }

    private Object expected() {
        List<String> outcomes = new ArrayList<>();
        for (int limit : new int[] {5000, 500}) {
            Track track = mapper.load(Track.class, "Odetta", "Track 00");
            track.setNote("more than " + limit);
            try {
                mapper.save(track, new DynamoDBSaveExpression()
                        .withExpectedEntry("plays", new ExpectedAttributeValue()
                                .withComparisonOperator(ComparisonOperator.GE)
                                .withAttributeValueList(number(limit)))
                        .withExpectedEntry("note", new ExpectedAttributeValue(false))
                        .withConditionalOperator(ConditionalOperator.AND));
                outcomes.add(track.getNote());
            } catch (ConditionalCheckFailedException refusal) {
                outcomes.add(refusal.getErrorCode());
            }
        }
        return outcomes;
    }

    private Map<String, AttributeValue> key(String artist, String title) {
        return Map.of("artist", new AttributeValue(artist), "title", new AttributeValue(title));
    }

    private static AttributeValueUpdate change(AttributeAction action, AttributeValue value) {
        return new AttributeValueUpdate().withAction(action).withValue(value);
    }

    private Object update() {
        Map<String, AttributeValue> changed = db.updateItem(new UpdateItemRequest()
                .withTableName(table)
                .withKey(key("Billie", "Track 07"))
                .addAttributeUpdatesEntry("plays", change(AttributeAction.ADD, number(3)))
                .addAttributeUpdatesEntry("genres", change(AttributeAction.ADD, new AttributeValue().withSS("blues")))
                .addAttributeUpdatesEntry("note", new AttributeValueUpdate().withAction(AttributeAction.DELETE))
                .addAttributeUpdatesEntry("label", change(AttributeAction.PUT, new AttributeValue("Verve")))
                .withReturnValues(ReturnValue.UPDATED_NEW)).getAttributes();
        return Map.of(
                "names", new TreeSet<>(changed.keySet()),
                "plays", Integer.valueOf(changed.get("plays").getN()),
                "genres", new TreeSet<>(changed.get("genres").getSS()),
                "label", changed.get("label").getS());
    }

    private Object readSome() {
        Map<String, AttributeValue> item = db.getItem(new GetItemRequest(table, key("Billie", "Track 07"), true)
                .withAttributesToGet("plays", "label", "absent")).getItem();
        Map<String, Object> read = new TreeMap<>();
        item.forEach((name, value) -> read.put(name, value.getS() == null ? value.getN() : value.getS()));
        return read;
    }

    private int fetchSome() {
        List<Object> keys = new ArrayList<>();
        for (int number = 0; number < 40; number++) {
            keys.add(track("Nina", number));
        }
        return mapper.batchLoad(keys).get(table).size();
    }

    private Object scanAll() {
        DynamoDBScanExpression often = new DynamoDBScanExpression()
                .withFilterConditionEntry("plays", condition(ComparisonOperator.IN, number(1), number(2), number(3)))
                .withFilterConditionEntry("artist", condition(ComparisonOperator.NE, new AttributeValue("Nina")))
                .withConsistentRead(true);
        DynamoDBScanExpression all = new DynamoDBScanExpression().withConsistentRead(true);
        return List.of(mapper.scan(Track.class, often).size(), mapper.parallelScan(Track.class, all, 4).size());
    }

    private boolean delete() {
        mapper.delete(mapper.load(Track.class, "Odetta", "Track 00"));
        return mapper.load(Track.class, "Odetta", "Track 00") == null;
    }
}
