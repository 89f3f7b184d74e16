import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { type CertificateFiles, createCertificates } from "./certificates.ts";

describe("throwaway certificates", () => {
  const directory = mkdtempSync(join(tmpdir(), "pillion-certificates-"));
  const certificates = createCertificates(directory);
  afterAll(() => rmSync(directory, { recursive: true }));

  const read = (files: CertificateFiles) => ({
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
  });

  /** "ok", or the code of the error that a verifying client meets. */
  async function handshake(server: CertificateFiles, client?: CertificateFiles): Promise<string> {
    const ca = readFileSync(certificates.caFile);
    const listener = createServer(
      { ...read(server), ca, requestCert: client !== undefined, rejectUnauthorized: client !== undefined },
      (socket) => socket.end("hello"),
    );
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    const identity = client === undefined ? {} : read(client);
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca, ...identity });
    try {
      await once(socket, "data");
      return "ok";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    } finally {
      socket.destroy();
      listener.close();
      await once(listener, "close");
    }
  }

  it("verify against their authority, by name", async () => {
    expect(await handshake(certificates.server)).toBe("ok");
  });

  it("identify a client", async () => {
    expect(await handshake(certificates.server, certificates.client)).toBe("ok");
  });

  it.each([
    ["expired", { expired: true }, "CERT_HAS_EXPIRED"],
    ["self-signed", { selfSigned: true }, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["another-name", { subjectAltNames: ["DNS:elsewhere.example"] }, "ERR_TLS_CERT_ALTNAME_INVALID"],
  ])("are refused when %s", async (name, options, code) => {
    expect(await handshake(certificates.issue(name, options))).toBe(code);
  });
});
