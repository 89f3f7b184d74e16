import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

describe("listen and admin", () => {
  it.each([
    ["127.0.0.1:8081", { kind: "tcp", host: "127.0.0.1", port: 8_081 }],
    ["localhost:0", { kind: "tcp", host: "localhost", port: 0 }],
    ['"[::1]:8081"', { kind: "tcp", host: "::1", port: 8_081 }],
    ["unix:/run/p.sock", { kind: "unix", path: "/run/p.sock" }],
    ["unix:p.sock", { kind: "unix", path: "/etc/pillion/p.sock" }],
  ])("%s", (text, address) => {
    expect(configOf(`listen: ${text}`).listen).toEqual(address);
  });

  it("the admin listener may be reached from other machines: probes and scrapes come from there", () => {
    expect(configOf("admin: 0.0.0.0:9090").admin).toEqual({ kind: "tcp", host: "0.0.0.0", port: 9_090 });
  });

  const FORM = "expected HOST:PORT or unix:/PATH, not";
  const REACHABLE =
    "reachable from other machines: set access.token, or write access: { open: true } to let everybody in";
  it.each([
    ["8080", `${FORM} 8080`],
    ['"8080"', `${FORM} "8080"; write 127.0.0.1:8080`],
    [":8080", `${FORM} ":8080"; write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface`],
    ["localhost", `${FORM} "localhost"; the port is missing`],
    ['"::1"', `${FORM} "::1"; write an IPv6 address in brackets, as [::1]:8080`],
    ["127.0.0.1:65536", `${FORM} "127.0.0.1:65536"; a port is at most 65535`],
    ["300.0.0.1:80", `${FORM} "300.0.0.1:80"`],
    ["http://localhost:80", `${FORM} "http://localhost:80"`],
    ['"unix:"', "expected the path of a socket behind unix:"],
    [`unix:/${"x".repeat(120)}`, "the path of a Unix socket has at most 107 bytes"],
    ["127.0.0.1:9090", "listen and admin must be different addresses"],
    ["0.0.0.0:8080", REACHABLE],
    ['"[::]:8080"', REACHABLE],
    ["10.0.0.1:8080", REACHABLE],
    ["pod.example:8080", REACHABLE],
    ["localhost.example:8080", REACHABLE],
  ])("listen: %s is refused", (text, message) => {
    expect(faultsOf(`listen: ${text}`)).toEqual([`1:9 listen: ${message}`]);
  });

  it.each(["{ token: { env: T } }", "{ open: true }"])("0.0.0.0 is accepted with access: %s", (access) => {
    expect(faultsOf(`listen: 0.0.0.0:8080\naccess: ${access}`)).toEqual([]);
  });

  it("open: false does not open", () => {
    expect(faultsOf("listen: 0.0.0.0:8080\naccess: { open: false }")).toHaveLength(1);
  });
});

describe("access", () => {
  it("hosts are lower-cased, origins kept as they are serialized, the token is a reference", () => {
    const access =
      "{ hosts: [App.Internal:8080, '[::1]'], origins: ['https://app.example'], token: { file: t } }";
    expect(configOf(`access: ${access}`).access).toEqual({
      hosts: ["app.internal:8080", "[::1]"],
      origins: ["https://app.example"],
      token: { kind: "file", path: "/etc/pillion/t" },
    });
  });

  it.each([
    ["hosts: ['*.internal']", /hosts\[0\]: .*wildcards are not supported/],
    ["hosts: ['https://a']", /hosts\[0\]: expected a Host value/],
    ["origins: ['*']", /origins\[0\]: must not be \*: every web page/],
    ["origins: ['null']", /origins\[0\]: must not be null/],
    ["origins: ['https://a.example/']", /origins\[0\]: .*; write https:\/\/a\.example$/],
    ["origins: ['HTTPS://A.example']", /origins\[0\]: .*; write https:\/\/a\.example$/],
    ["origins: ['https://a.example:443']", /origins\[0\]: .*; write https:\/\/a\.example$/],
    ["origins: [a.example]", /origins\[0\]: expected an origin/],
    ["origins: ['file:///x']", /origins\[0\]: expected an origin/],
    ["origins: https://a.example", /origins: expected a list, not text/],
  ])("{ %s } is refused", (text, fault) => {
    const faults = faultsOf(`access: { ${text} }`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});
