import java.util.List;
import java.util.concurrent.CountDownLatch;

import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** A node of OpenSearch with HTTP and nothing else: arguments are settings, "http.port=9200". */
public final class OpenSearchNode extends Node {
	private OpenSearchNode(Environment environment) {
		super(environment, List.of(Netty4Plugin.class), true);
	}

	public static void main(String[] args) throws Exception {
		Settings.Builder settings = Settings.builder();

		for (String arg : args)
			settings.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
		LogConfigurator.configureWithoutConfig(settings.build());
		new OpenSearchNode(new Environment(settings.build(), null)).start();
		new CountDownLatch(1).await(); // until somebody ends us: what was answered is on the disk
	}
}
