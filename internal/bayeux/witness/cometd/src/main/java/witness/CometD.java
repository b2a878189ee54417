package witness;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Promise;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ServerChannel;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.DefaultSecurityPolicy;
import org.cometd.server.http.jakarta.CometDServlet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * The CometD project's own server with a replay extension like Salesforce's, and a control address.
 *
 * <p>Sessions, transports, cookies, queues and advice are the server's. The extension keeps a log; whoever subscribes gets
 * what came after the replay id, then what is published. A refused token is an HTTP 401 page, as at a gateway.
 *
 * <p>Control: POST /publish?n=, /forget, /revoke, /disconnect, /expire; GET /token, /sessions, /log?after=.
 */
public final class CometD {
  private static final String CHANNEL = "/data/ChangeEvents";

  private record Event(long id, Map<String, Object> data) {}

  private final List<Event> log = new ArrayList<>();
  private final Map<ServerSession, Boolean> followers = new HashMap<>();
  private final AtomicInteger token = new AtomicInteger(1);
  private long last = 3_000_000_000L;
  private long oldest = last;
  private BayeuxServerImpl bayeux;

  public static void main(String[] args) throws Exception {
    new CometD().run();
  }

  private void run() throws Exception {
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/");
    Filter gate = (request, response, chain) -> {
      String given = ((HttpServletRequest) request).getHeader("Authorization");
      if (("Bearer token-" + token.get()).equals(given)) {
        chain.doFilter(request, response);
        return;
      }
      HttpServletResponse refusal = (HttpServletResponse) response;
      refusal.setStatus(401);
      refusal.setContentType("text/html");
      refusal.getWriter().write("<html><body>Unauthorized</body></html>");
    };
    FilterHolder filter = new FilterHolder(gate);
    filter.setAsyncSupported(true);
    context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST));
    ServletHolder cometd = new ServletHolder(new CometDServlet());
    cometd.setInitParameter("timeout", "2000");
    cometd.setInitParameter("maxInterval", "4000");
    cometd.setInitOrder(1);
    cometd.setAsyncSupported(true);
    context.addServlet(cometd, "/cometd/*");
    server.setHandler(context);
    server.start();
    bayeux = (BayeuxServerImpl) context.getServletContext().getAttribute(BayeuxServer.ATTRIBUTE);
    bayeux.addExtension(new Replay());
    bayeux.addListener(new Follow());
    bayeux.setSecurityPolicy(new Retention());
    System.out.printf("READY http://127.0.0.1:%d/cometd/66.0 %s%n", connector.getLocalPort(), control());
  }

  /** Offers the extension in a handshake's answer, and names the cause of a refused position. */
  private final class Replay implements BayeuxServer.Extension {
    @Override
    public boolean sendMeta(ServerSession session, ServerMessage.Mutable reply) {
      if (Channel.META_HANDSHAKE.equals(reply.getChannel())) {
        reply.getExt(true).put("replay", true);
      }
      ServerMessage asked = reply.getAssociated();
      if (Channel.META_SUBSCRIBE.equals(reply.getChannel()) && !reply.isSuccessful() && asked != null && expired(position(asked))) {
        reply.put("error", "400::The replayId {" + position(asked) + "} you provided was invalid.  Please provide a valid ID, "
            + "-2 to replay all events, or -1 to replay only new events.");
      }
      return true;
    }
  }

  private final class Retention extends DefaultSecurityPolicy {
    @Override
    public boolean canSubscribe(BayeuxServer server, ServerSession session, ServerChannel channel, ServerMessage message) {
      return !expired(position(message));
    }
  }

  private final class Follow implements BayeuxServer.SubscriptionListener, BayeuxServer.SessionListener {
    @Override
    public void subscribed(ServerSession session, ServerChannel channel, ServerMessage message) {
      long after = position(message);
      synchronized (log) {
        for (Event event : log) {
          if (after != -1 && event.id > after) {
            deliver(session, event);
          }
        }
        followers.put(session, true);
      }
    }

    @Override
    public void unsubscribed(ServerSession session, ServerChannel channel, ServerMessage message) {
      sessionRemoved(session, message, false);
    }

    @Override
    public void sessionRemoved(ServerSession session, ServerMessage message, boolean timeout) {
      synchronized (log) {
        followers.remove(session);
      }
    }
  }

  private boolean expired(long position) {
    synchronized (log) {
      return position >= 0 && position < oldest;
    }
  }

  private static long position(ServerMessage message) {
    Object replay = message.getExt() == null ? null : message.getExt().get("replay");
    Object position = replay instanceof Map<?, ?> positions ? positions.get(CHANNEL) : null;
    return position instanceof Number number ? number.longValue() : -1;
  }

  private static void deliver(ServerSession session, Event event) {
    session.deliver(null, CHANNEL, event.data, Promise.noop());
  }

  private void publish(int count) {
    synchronized (log) {
      for (int i = 0; i < count; i++) {
        last += 1 + last % 7;
        Map<String, Object> payload = Map.of("n", last, "text", "caf\u00e9 \"quoted\" \\ \ud83d\ude00", "none", Map.of());
        Event event = new Event(last, Map.of("schema", "V2MGwDA2aIP0yQS98S2L6Q", "payload", payload, "event", Map.of("replayId", last)));
        log.add(event);
        followers.keySet().forEach(session -> deliver(session, event));
      }
    }
  }

  private void expire() {
    synchronized (log) {
      oldest = last;
      log.clear();
    }
  }

  private String ids(long after) {
    StringBuilder ids = new StringBuilder();
    synchronized (log) {
      log.stream().filter(event -> event.id > after).forEach(event -> ids.append(event.id).append('\n'));
    }
    return ids.toString();
  }

  private String control() throws IOException {
    HttpServer control = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    control.setExecutor(Executors.newCachedThreadPool());
    control.createContext("/", this::serve);
    control.start();
    return "http://127.0.0.1:" + control.getAddress().getPort();
  }

  private void serve(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    long number = query == null ? 0 : Long.parseLong(query.substring(query.indexOf('=') + 1));
    int status = 200;
    String answer = "";
    switch (exchange.getRequestURI().getPath()) {
      case "/publish" -> publish((int) number);
      case "/forget" -> bayeux.getSessions().forEach(session -> bayeux.removeServerSession(session, true));
      case "/disconnect" -> bayeux.getSessions().forEach(ServerSession::disconnect);
      case "/revoke" -> token.incrementAndGet();
      case "/expire" -> expire();
      case "/token" -> answer = "token-" + token.get();
      case "/sessions" -> answer = String.valueOf(bayeux.getSessions().size());
      case "/log" -> answer = ids(number);
      default -> status = 404;
    }
    byte[] body = answer.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }
}
