/** Throwaway certificates for tests and benchmarks, made with the `openssl` command; valid for a day. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificateFiles {
  /** PEM: the certificate. */
  readonly certFile: string;
  /** PEM: its private key, unencrypted. */
  readonly keyFile: string;
}

export interface Certificates {
  /** PEM: the certificate authority that signed all that is not self-signed. */
  readonly caFile: string;
  /** For localhost, *.localhost, 127.0.0.1 and ::1. */
  readonly server: CertificateFiles;
  /** For mutual TLS. */
  readonly client: CertificateFiles;
  /** One more server certificate; `name` names its files and its subject. */
  issue(name: string, options?: ServerCertificateOptions): CertificateFiles;
}

export interface ServerCertificateOptions {
  /** As openssl writes them. Default: `DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1`. */
  readonly subjectAltNames?: readonly string[];
  /** Not valid any more since an hour ago. Default false. */
  readonly expired?: boolean;
  /** Signed by itself instead of by the authority. Default false. */
  readonly selfSigned?: boolean;
}

const LOOPBACK_NAMES = ["DNS:localhost", "DNS:*.localhost", "IP:127.0.0.1", "IP:::1"];
const HOUR_MS = 3_600_000;

/** `openssl ca` is the one subcommand that takes a start and an end date in every release since 1.1. */
const caConfig = (directory: string): string => `
[ca]
default_ca = throwaway
[throwaway]
database = ${join(directory, "index.txt")}
new_certs_dir = ${directory}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`;

/**
 * Makes a certificate authority, a server and a client certificate in `directory`, which is made if need be.
 *
 * @throws when the openssl command is missing or fails; the message holds what it said
 */
export function createCertificates(directory: string): Certificates {
  const file = (name: string): string => join(directory, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(file("ca.conf"), caConfig(directory));
  writeFileSync(file("index.txt"), "");

  const newKey = (name: string): string => {
    const keyFile = file(`${name}.key`);
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", keyFile);
    return keyFile;
  };

  const caKeyFile = newKey("ca");
  const caFile = file("ca.crt");
  const caUsage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  openssl(
    "req",
    "-x509",
    "-new",
    "-key",
    caKeyFile,
    "-out",
    caFile,
    "-days",
    "2",
    "-subj",
    "/CN=Throwaway CA",
    ...caUsage,
  );

  const sign = (
    name: string,
    extensions: readonly string[],
    options: ServerCertificateOptions,
  ): CertificateFiles => {
    const files = { certFile: file(`${name}.crt`), keyFile: newKey(name) };
    writeFileSync(file(`${name}.ext`), extensions.join("\n"));
    openssl("req", "-new", "-key", files.keyFile, "-out", file(`${name}.csr`), "-subj", `/CN=${name}`);
    const endMs = options.expired === true ? -HOUR_MS : 24 * HOUR_MS;
    const signer =
      options.selfSigned === true
        ? ["-selfsign", "-keyfile", files.keyFile]
        : ["-cert", caFile, "-keyfile", caKeyFile];
    openssl(
      ...["ca", "-batch", "-notext", "-config", file("ca.conf"), "-extfile", file(`${name}.ext`), ...signer],
      ...["-startdate", asn1Time(Date.now() - 2 * HOUR_MS), "-enddate", asn1Time(Date.now() + endMs)],
      ...["-in", file(`${name}.csr`), "-out", files.certFile],
    );
    return files;
  };

  const issue = (name: string, options: ServerCertificateOptions = {}): CertificateFiles => {
    const names = options.subjectAltNames ?? LOOPBACK_NAMES;
    return sign(name, [`subjectAltName = ${names.join(",")}`, "extendedKeyUsage = serverAuth"], options);
  };

  return {
    caFile,
    server: issue("server"),
    client: sign("client", ["extendedKeyUsage = clientAuth"], {}),
    issue,
  };
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** ASN.1 GeneralizedTime: YYYYMMDDHHMMSSZ. */
function asn1Time(unixMs: number): string {
  return `${new Date(unixMs).toISOString().replaceAll(/[-:T]|\.\d+Z/g, "")}Z`;
}
