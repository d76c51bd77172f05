/** The socket port of the audit: one connection, some bytes there, some bytes back. Its adapter is dial-node.ts; tests bring their own. */

export interface DialRequest {
  readonly host: string;
  readonly port: number;
  /** Sent as soon as the connection is there. */
  readonly bytes: Uint8Array;
  /** Received bytes that are kept at most; then the connection is closed. */
  readonly bytesMax: number;
  /** Whether what has come is all that is wanted; then the connection is closed. */
  readonly isEnough: (received: Uint8Array) => boolean;
  /** Its abort is the deadline. */
  readonly signal: AbortSignal;
}

export interface DialAnswer {
  /** `full`: `bytesMax` reached, or in too many pieces; `closed`: by the other side; `silent`: the deadline; `unreachable`: never connected. */
  readonly end: "enough" | "full" | "closed" | "silent" | "unreachable";
  readonly bytes: Uint8Array;
}

/** Never rejects. The connection is closed when it resolves. */
export type Dial = (request: DialRequest) => Promise<DialAnswer>;

/** Certificates, in DER and the leaf first, of a server with which a whole handshake is made, trusted or not. `null`: it did not come about. */
export type FetchChain = (target: {
  readonly host: string;
  readonly port: number;
  readonly serverName?: string;
  readonly signal: AbortSignal;
}) => Promise<readonly Uint8Array[] | null>;
