/** Envoy with `credential_injector` and its OAuth2 source, as its documentation shows it, without an access log. */
import type { Setting } from "./setting.ts";

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;

function endpoint(port: number) {
  return {
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  };
}

function cluster(name: string, port: number) {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint(port)] }] },
  };
}

function upstreamTls(caFile: string) {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": type("extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
      sni: "localhost",
      common_tls_context: {
        validation_context: {
          trusted_ca: { filename: caFile },
          match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "localhost" } }],
        },
      },
    },
  };
}

export function envoyConfiguration({ port, originPort, scheme, caFile, tokenUrl }: Setting) {
  const credential = {
    name: "envoy.http.injected_credentials.oauth2",
    typed_config: {
      "@type": type("extensions.http.injected_credentials.oauth2.v3.OAuth2"),
      token_endpoint: { cluster: "token", uri: tokenUrl, timeout: "5s" },
      client_credentials: { client_id: "bench", client_secret: { name: "client-secret" } },
    },
  };
  const injector = {
    name: "envoy.filters.http.credential_injector",
    typed_config: {
      "@type": type("extensions.filters.http.credential_injector.v3.CredentialInjector"),
      overwrite: true,
      credential,
    },
  };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": type("extensions.filters.http.router.v3.Router") },
  };
  const connectionManager = {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: "bench",
      route_config: {
        virtual_hosts: [
          { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "origin" } }] },
        ],
      },
      http_filters: [injector, router],
    },
  };
  return {
    static_resources: {
      secrets: [{ name: "client-secret", generic_secret: { secret: { inline_string: "not-a-secret" } } }],
      listeners: [
        {
          address: { socket_address: { address: "127.0.0.1", port_value: port } },
          filter_chains: [{ filters: [connectionManager] }],
        },
      ],
      clusters: [
        {
          ...cluster("origin", originPort),
          ...(scheme === "https" ? { transport_socket: upstreamTls(caFile) } : {}),
        },
        cluster("token", Number(new URL(tokenUrl).port)),
      ],
    },
  };
}
