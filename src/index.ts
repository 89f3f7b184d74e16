/**
 * What `import … from "pillion"` gives: Pillion inside another process, such as a Node application or its tests. The
 * guide is docs/embedding.md.
 */
export { ConfigError, type Fault } from "./config/fault.ts";
export type { FaultKind } from "./config/fault-kind.ts";
export type { LogFields, Logger, LogLevel } from "./core/log.ts";
export {
  createSidecar,
  type EmbeddedSidecar,
  type SidecarConfiguration,
  type SidecarOptions,
} from "./embedded-sidecar.ts";
export type { Addresses } from "./sidecar.ts";
