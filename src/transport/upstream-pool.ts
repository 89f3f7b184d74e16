import type { Dispatcher } from "undici";

/** A request as the data plane dispatches it. */
export interface UpstreamDispatch extends Dispatcher.DispatchOptions {
  /** Asked for when there is a socket, or one is being connected; again where the request is sent again. */
  readonly headers: string[];
  /** Calls `then` once the first of its body is there to be sent, with an error where it will not come. */
  bodyBegins(then: (error?: Error) => void): void;
}

/** What the data plane asks of its way to an upstream. */
export interface UpstreamPool extends Pick<Dispatcher, "close" | "destroy"> {
  /** What is thrown by the handler's `onRequestStart` ends the dispatch before a byte of it is written. */
  dispatch(request: UpstreamDispatch, handler: Dispatcher.DispatchHandler): void;
}
