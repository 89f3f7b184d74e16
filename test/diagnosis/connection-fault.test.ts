import { describe, expect, it } from "vitest";
import { type ConnectionError, connectionFault, type Stage } from "../../src/diagnosis/connection-fault.ts";
import { DIRECT } from "../token/engine.ts";

const PROXIED = { ...DIRECT, httpProxy: new URL("http://proxy.example:3128") };
const CERTIFIED = {
  tls: { ca: "/ca.pem", cert: "/cert.pem", key: "/key.pem", serverName: undefined },
  httpProxy: undefined,
};

function words(
  stage: Stage,
  code: string,
  connection: typeof DIRECT = DIRECT,
  more: Partial<ConnectionError> = {},
) {
  const url = new URL("https://api.example/v1");
  const { reason, hint } = connectionFault(
    { stage, code, message: "", ...more },
    { url, connection, key: "upstream", timeoutMs: 5_000 },
  );
  return `${reason} | ${hint}`;
}

/** What no peer on loopback can be made to do; the rest is in connections.test.ts. */
describe("the cause of a connection that failed, by its code", () => {
  it.each<[Stage, string, RegExp]>([
    ["dns", "EAI_AGAIN", /the name server does not answer \(EAI_AGAIN\) \| .*resolv\.conf.*port 53/],
    ["dns", "ENOTFOUND", /does not resolve.*\| check the spelling.*set http_proxy/],
    [
      "connect",
      "UND_ERR_CONNECT_TIMEOUT",
      /does not answer within 5 s \(TCP\) \| .*firewall.*NetworkPolicy.*http_proxy/,
    ],
    ["connect", "ETIMEDOUT", /does not answer within 5 s/],
    ["connect", "EHOSTUNREACH", /no route to it.*\| check routes, VPN and IPv6/],
    ["connect", "EMFILE", /cannot be reached \(EMFILE\)/],
    ["tls", "ECONNRESET", /closes the connection during the TLS handshake.*\| .*tls\.server_name/],
    ["tls", "CERT_NOT_YET_VALID", /is not valid yet.*\| .*clock of this machine/],
    [
      "tls",
      "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
      /versions of TLS that are not safe.*\| .*TLS 1\.2 or 1\.3/,
    ],
    ["tls", "ERR_SSL_TLSV1_UNRECOGNIZED_NAME", /fails the TLS handshake.*\| .*tls\.server_name/],
    ["http", "HPE_INVALID_CONSTANT", /not HTTP.*\| check host and port of upstream/],
    ["http", "ECONNRESET", /without an answer.*\| .*client certificate may do so too/],
  ])("%s %s", (stage, code, expected) => {
    expect(words(stage, code)).toMatch(expected);
  });

  it("of a client certificate that is refused", () => {
    for (const alert of ["UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED"])
      expect(words("http", `ERR_SSL_TLSV1_ALERT_${alert}`, CERTIFIED)).toMatch(
        /refuses the client certificate.*\| check that tls\.cert/,
      );
  });

  it("of a proxy that asks for a login, without the advice to set a proxy", () => {
    expect(
      words("proxy", "ERR_PROXY_TUNNEL", PROXIED, { proxyStatus: 407, message: "it answered 407" }),
    ).toMatch(/it answered 407 \| the proxy asks for a login/);
    expect(words("connect", "ETIMEDOUT", PROXIED)).not.toContain("set http_proxy");
  });
});
