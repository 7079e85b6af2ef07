import com.amazonaws.auth.AWSCredentialsProvider;
import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDB;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDBClientBuilder;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDBStreamsClientBuilder;
import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.StreamsWorkerFactory;
import com.amazonaws.services.dynamodbv2.streamsadapter.model.RecordAdapter;
import com.amazonaws.services.kinesis.clientlibrary.exceptions.InvalidStateException;
import com.amazonaws.services.kinesis.clientlibrary.exceptions.ShutdownException;
import com.amazonaws.services.kinesis.clientlibrary.interfaces.IRecordProcessorCheckpointer;
import com.amazonaws.services.kinesis.clientlibrary.interfaces.v2.IRecordProcessor;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.InitialPositionInStream;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.KinesisClientLibConfiguration;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.ShutdownReason;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker;
import com.amazonaws.services.kinesis.clientlibrary.types.InitializationInput;
import com.amazonaws.services.kinesis.clientlibrary.types.ProcessRecordsInput;
import com.amazonaws.services.kinesis.clientlibrary.types.ShutdownInput;
import com.amazonaws.services.kinesis.metrics.impl.NullMetricsFactory;
import com.amazonaws.services.kinesis.model.Record;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Follows a stream by Amazon's Kinesis Client Library, as its users do: leases in a table, a processor per shard, a
 * checkpoint after each batch. Prints a line of JSON for each record and for each shard's end, and ends by itself once
 * it has seen as many records as it is told to. Told: the stream's ARN, the application's name, the number.
 */
public final class Follow {
    private static final int SOON_MS = 2_000; // the library's own times are for streams with hundreds of shards

    private final AtomicInteger left;
    private Worker worker;

    private Follow(int count) {
        left = new AtomicInteger(count);
    }

    public static void main(String[] arguments) {
        new Follow(Integer.parseInt(arguments[2])).follow(arguments[0], arguments[1]);
        System.exit(0); // the SDK's own threads would live on
    }

    @SuppressWarnings("deprecation") // the constructor that the adapter's documentation names
    private void follow(String arn, String application) {
        EndpointConfiguration endpoint = new EndpointConfiguration(
                System.getenv("AWS_ENDPOINT_URL_DYNAMODB"), System.getenv("AWS_REGION"));
        AmazonDynamoDB db = AmazonDynamoDBClientBuilder.standard().withEndpointConfiguration(endpoint).build();
        AmazonDynamoDBStreamsAdapterClient streams = new AmazonDynamoDBStreamsAdapterClient(
                AmazonDynamoDBStreamsClientBuilder.standard().withEndpointConfiguration(endpoint).build());
        AWSCredentialsProvider credentials = DefaultAWSCredentialsProviderChain.getInstance();
        KinesisClientLibConfiguration configuration =
                new KinesisClientLibConfiguration(application, arn, credentials, application)
                        .withInitialPositionInStream(InitialPositionInStream.TRIM_HORIZON)
                        .withFailoverTimeMillis(SOON_MS)
                        .withShardSyncIntervalMillis(SOON_MS)
                        .withParentShardPollIntervalMillis(SOON_MS / 2)
                        .withIdleTimeBetweenReadsInMillis(SOON_MS / 10);
        ExecutorService threads = Executors.newCachedThreadPool();
        worker = StreamsWorkerFactory.createDynamoDbStreamsWorker(
                Processor::new, configuration, streams, db, new NullMetricsFactory(), threads);
        worker.run();
    }

    private static synchronized void print(String shard, String what, Map<String, Object> more) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("shard", shard);
        line.put("what", what);
        line.putAll(more);
        System.out.println(Json.of(line));
    }

    /** Of one shard. */
    private final class Processor implements IRecordProcessor {
        private String shard;

        @Override
        public void initialize(InitializationInput input) {
            shard = input.getShardId();
            print(shard, "begun", Map.of());
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            for (Record record : input.getRecords()) {
                com.amazonaws.services.dynamodbv2.model.Record change = ((RecordAdapter) record).getInternalObject();
                print(shard, change.getEventName(), Map.of(
                        "key", change.getDynamodb().getKeys().get("pk").getS(),
                        "value", change.getDynamodb().getNewImage().get("v").getN()));
            }
            if (!input.getRecords().isEmpty()) {
                checkpoint(input.getCheckpointer());
            }
            if (left.addAndGet(-input.getRecords().size()) <= 0) {
                worker.shutdown();
            }
        }

        @Override
        public void shutdown(ShutdownInput input) {
            if (input.getShutdownReason() == ShutdownReason.TERMINATE) {
                print(shard, "ended", Map.of());
                checkpoint(input.getCheckpointer());
            }
        }

        private void checkpoint(IRecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
            } catch (InvalidStateException | ShutdownException error) {
                throw new IllegalStateException(error);
            }
        }
    }
}
