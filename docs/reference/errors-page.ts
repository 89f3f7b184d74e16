import { FAULTS_PAGE, type FaultKind } from "../../src/config/fault-kind.ts";
import { ERROR_TABLE, type ErrorCode } from "../../src/core/errors.ts";
import { problemType } from "../../src/proxy/respond.ts";
import { ERROR_TEXTS, type ErrorText } from "./error-texts.ts";
import { faultLines } from "./fault-lines.ts";
import { FAULT_TEXTS, type FaultText } from "./fault-texts.ts";
import { GENERATED } from "./markdown.ts";

/** A section for each code of the proxy and for each kind of configuration fault. */
export function errorsPage(): string {
  const codes = Object.keys(ERROR_TEXTS) as ErrorCode[];
  const kinds = Object.keys(FAULT_TEXTS) as FaultKind[];
  return `# Errors

${GENERATED}

An answer that Pillion makes itself is \`application/problem+json\` (RFC 9457) and has a \`Proxy-Status\` field (RFC 9209); an answer of
the API has neither. The last part of \`type\` is the anchor of a section here:

\`\`\`json
{"type":"${problemType("TENANT_UNKNOWN")}","title":"${ERROR_TABLE.TENANT_UNKNOWN.title}","status":404,"detail":"…","code":"TENANT_UNKNOWN","request_id":"…"}
\`\`\`

\`request_id\` is the \`X-Request-Id\` of the request, and stands in its log line. Every 503 has \`Retry-After\`. The metric
\`pillion_rejected_total{reason}\` counts each code.

| code | status | \`Proxy-Status\` | |
|---|---|---|---|
${codes.map((code) => `| [${code}](#${anchorOf(code)}) | ${ERROR_TABLE[code].status} | \`${ERROR_TABLE[code].proxyStatus}\` | ${ERROR_TABLE[code].title} |`).join("\n")}

\`Proxy-Status\` can be more precise than this where more is known (\`dns_error\`, \`tls_certificate_error\`, \`connection_timeout\`).

${codes.map((code) => section(code, ERROR_TEXTS[code])).join("\n")}
# Configuration faults

\`pillion check\` and \`pillion run\` report every fault at once, as \`file:line:column path: message [${FAULTS_PAGE}#kind]\`, and end
with 2; a warning begins with \`warning: \` and changes nothing. No message repeats a secret. The part after \`#\` is the anchor of a
section here; a kind is never renamed. Each section has a file with such a fault, and what \`check --secrets\` says of it.

| kind | |
|---|---|
${kinds.map((kind) => `| [${kind}](#${kind}) | ${FAULT_TEXTS[kind].title} |`).join("\n")}

${kinds.map((kind) => faultSection(kind, FAULT_TEXTS[kind])).join("\n")}`;
}

/** The anchor of a code's section: the last part of its problem type. */
export function anchorOf(code: ErrorCode): string {
  return problemType(code).split(":").at(-1) ?? "";
}

function section(code: ErrorCode, { happened, causes, remedy, log }: ErrorText): string {
  const { status, title } = ERROR_TABLE[code];
  return `<a id="${anchorOf(code)}"></a>
## ${code}

**${status}: ${title}.** ${happened}

It can come from:

${causes.map((cause) => `- ${cause}`).join("\n")}

**What to do.** ${remedy}

**In the log.** ${log}
`;
}

function faultSection(kind: FaultKind, faultText: FaultText): string {
  const { title, sample, text } = faultText;
  const lines = faultLines(faultText);
  if (lines.length !== 1 || lines[0]?.fault.kind !== kind)
    throw new Error(`the sample of ${kind} shows ${lines.map(({ line }) => line).join("; ") || "no fault"}`);
  return `<a id="${kind}"></a>
## ${title}

\`\`\`yaml part
${sample}\`\`\`

\`\`\`text
${lines[0].line}
\`\`\`

${text}
`;
}
