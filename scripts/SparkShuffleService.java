import java.nio.ByteBuffer;
import java.util.List;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.server.api.ApplicationInitializationContext;
import org.apache.hadoop.yarn.server.api.ApplicationTerminationContext;
import org.apache.hadoop.yarn.server.api.AuxiliaryService;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.shuffle.ExternalBlockHandler;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/** Spark's server of shuffle files, without authentication, in a NodeManager: see hadoop_shuffle.py. */
public class SparkShuffleService extends AuxiliaryService {
  private ExternalBlockHandler handler;
  private TransportContext context;
  private TransportServer server;

  public SparkShuffleService() {
    super("spark_shuffle");
  }

  @Override
  protected void serviceStart() throws Exception {
    Configuration settings = getConfig();
    TransportConf conf = new TransportConf("shuffle", MapConfigProvider.EMPTY);
    handler = new ExternalBlockHandler(conf, null);
    context = new TransportContext(conf, handler, true);
    server = context.createServer(settings.getInt("spark.shuffle.service.port", 7337), List.of());
  }

  @Override
  protected void serviceStop() {
    if (server != null) {
      server.close();
      context.close();
      handler.close();
    }
  }

  @Override
  public void initializeApplication(ApplicationInitializationContext application) {}

  @Override
  public void stopApplication(ApplicationTerminationContext application) {
    handler.applicationRemoved(application.getApplicationId().toString(), false); // YARN deletes its files
  }

  @Override
  public ByteBuffer getMetaData() {
    return ByteBuffer.allocate(0);
  }
}
