/**
 * The guard of the open ports: what the HTTP server does not enforce on sockets that were handed to it.
 *
 * A connection is always in one phase, and every phase in which the other side must act has a deadline:
 *
 *   headers   from the handshake, or the first byte after a pause, to the end of the request's headers
 *   body      until the body is complete; the deadline moves only when enough of it arrives
 *   answer    the handler works (no deadline) or the client reads (deadline moves when bytes leave)
 *   drain     answered before the body was complete: the rest is read and dropped, deadline as for a body
 *   idle      between requests
 *
 * Back-pressure: the socket is paused while more than `unreadBytesMax` of its body wait for the handler.
 * The deadline stands still meanwhile, since the delay is ours.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "@holdfast/base";

export interface GuardLimits {
  /** From the accepted connection to the end of the TLS handshake. */
  readonly handshakeMsMax: number;
  readonly headersMsMax: number;
  readonly idleMsMax: number;
  /** Within this time `progressBytesMin` must arrive (body) or anything at all must leave (answer). */
  readonly progressMsMax: number;
  readonly progressBytesMin: number;
  readonly unreadBytesMax: number;
  /** A paused socket goes on below this. */
  readonly unreadBytesResume: number;
  readonly connectionCountMax: number;
  readonly connectionCountPerPeerMax: number;
  /** Requests that one connection may send ahead of their answers. */
  readonly pipelinedRequestCountMax: number;
}

export const GUARD_LIMITS: GuardLimits = {
  handshakeMsMax: 10_000,
  headersMsMax: 10_000,
  idleMsMax: 75_000,
  progressMsMax: 20_000,
  progressBytesMin: 4096,
  unreadBytesMax: 256 * 1024,
  unreadBytesResume: 64 * 1024,
  connectionCountMax: 1024,
  connectionCountPerPeerMax: 256,
  pipelinedRequestCountMax: 2,
};

type Phase = "headers" | "body" | "answer" | "drain" | "idle";

interface Connection {
  readonly socket: Socket;
  phase: Phase;
  deadlineMs: number;
  /** Bytes since the deadline last moved. */
  progressBytes: number;
  paused: boolean;
  request: IncomingMessage | null;
  openRequestCount: number;
  answerBytesLeft: number;
}

export interface Guard {
  /** Counts a fresh TCP connection; destroys it and returns false when there are too many. */
  admit(socket: Socket): boolean;
  /** Takes charge of a connection whose handshake is complete. */
  watch(socket: Socket): void;
  /** To be called first for every request. */
  begin(request: IncomingMessage, response: ServerResponse): void;
  /** Connections with a request that is not answered yet. */
  busySockets(): Socket[];
  /** Lets running requests finish and closes everything else; resolves when all is closed or after `graceMs`. */
  drain(graceMs: number): Promise<void>;
  readonly connectionCount: number;
  stop(): void;
}

const CHECK_INTERVAL_MS = 100;
const RESUME_POLL_MS = 2;

/** A guard with its own timer; `stop` ends it. */
export function createGuard(limits: GuardLimits, clock: Clock): Guard {
  const connections = new Map<Socket, Connection>();
  const counter = createConnectionCounter(limits);
  let draining = false;
  const timer = setInterval(() => checkDeadlines(connections, limits, clock.monotonicMs()), CHECK_INTERVAL_MS);
  // Runs only while a body arrives: an idle node sleeps.
  const bodyTimer = createLazyTimer(RESUME_POLL_MS, () => resumePaused(connections, limits, clock.monotonicMs()));

  function watch(socket: Socket): void {
    const deadlineMs = clock.monotonicMs() + limits.headersMsMax;
    const connection: Connection = {
      socket,
      phase: "headers",
      deadlineMs,
      progressBytes: 0,
      paused: false,
      request: null,
      openRequestCount: 0,
      answerBytesLeft: 0,
    };
    connections.set(socket, connection);
    socket.on("data", (data: Uint8Array) => onData(connection, limits, data.length, clock.monotonicMs()));
    socket.once("close", () => connections.delete(socket));
  }

  function begin(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    beginRequest(connection, request, response, limits, clock, () => draining);
    bodyTimer.start();
  }

  async function drain(graceMs: number): Promise<void> {
    draining = true;
    const endMs = clock.monotonicMs() + graceMs;
    while (connections.size > 0 && clock.monotonicMs() < endMs) {
      for (const connection of [...connections.values()]) if (connection.openRequestCount === 0) connection.socket.destroy();
      if (connections.size > 0) await clock.sleep(5);
    }
    for (const connection of [...connections.values()]) connection.socket.destroy();
  }

  return {
    admit(socket) {
      if (!draining && counter.admit(socket)) return true;
      socket.destroy();
      return false;
    },
    watch,
    begin,
    busySockets: () => [...connections.values()].filter(({ openRequestCount }) => openRequestCount > 0).map(({ socket }) => socket),
    drain,
    get connectionCount() {
      return counter.count();
    },
    stop() {
      clearInterval(timer);
      bodyTimer.stop();
    },
  };
}

/** A timer that ends by itself when `work` says that there is nothing left to do. */
function createLazyTimer(everyMs: number, work: () => boolean): { start(): void; stop(): void } {
  let timer: ReturnType<typeof setInterval> | null = null;
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const start = (): void => {
    timer ??= setInterval(() => {
      if (!work()) stop();
    }, everyMs);
  };
  return { start, stop };
}

/** Counts connections in all and by peer, from their acceptance to their close. */
function createConnectionCounter(limits: GuardLimits): { admit(socket: Socket): boolean; count(): number } {
  const countsByPeer = new Map<string, number>();
  let count = 0;
  return {
    count: () => count,
    admit(socket) {
      const peer = socket.remoteAddress ?? "";
      const peerCount = countsByPeer.get(peer) ?? 0;
      if (count >= limits.connectionCountMax || peerCount >= limits.connectionCountPerPeerMax) return false;
      count++;
      countsByPeer.set(peer, peerCount + 1);
      socket.once("close", () => {
        count--;
        const left = (countsByPeer.get(peer) ?? 1) - 1;
        if (left === 0) countsByPeer.delete(peer);
        else countsByPeer.set(peer, left);
      });
      return true;
    },
  };
}

function onData(connection: Connection, limits: GuardLimits, byteCount: number, nowMs: number): void {
  if (connection.phase === "idle") {
    connection.phase = "headers";
    connection.deadlineMs = nowMs + limits.headersMsMax;
  } else if (connection.phase === "body" || connection.phase === "drain") {
    connection.progressBytes += byteCount;
    if (connection.progressBytes >= limits.progressBytesMin) {
      connection.progressBytes = 0;
      connection.deadlineMs = nowMs + limits.progressMsMax;
    }
    pauseWhenFull(connection, limits);
  }
}

function pauseWhenFull(connection: Connection, limits: GuardLimits): void {
  const unreadBytes = connection.request?.readableLength ?? 0;
  if (connection.paused || connection.phase !== "body" || unreadBytes <= limits.unreadBytesMax) return;
  connection.paused = true;
  connection.socket.pause();
}

/** Pauses and resumes by what waits for the handlers; false when no body is arriving. */
function resumePaused(connections: ReadonlyMap<Socket, Connection>, limits: GuardLimits, nowMs: number): boolean {
  let bodyCount = 0;
  for (const connection of connections.values()) {
    if (connection.phase === "body") bodyCount++;
    if (connection.phase === "body" && !connection.paused) pauseWhenFull(connection, limits);
    if (!connection.paused) continue;
    const unreadBytes = connection.request?.readableLength ?? 0;
    if (connection.phase === "body" && unreadBytes >= limits.unreadBytesResume) continue;
    connection.paused = false;
    connection.deadlineMs = nowMs + limits.progressMsMax;
    connection.socket.resume();
  }
  return bodyCount > 0;
}

function checkDeadlines(connections: ReadonlyMap<Socket, Connection>, limits: GuardLimits, nowMs: number): void {
  for (const connection of [...connections.values()]) {
    if (connection.phase === "answer") noteAnswerProgress(connection, limits, nowMs);
    if (connection.paused || nowMs < connection.deadlineMs) continue;
    if (connection.phase === "body" && connection.request?.complete === true) continue; // All is here: the handler is slow.
    connection.socket.destroy();
  }
}

/** In the answer phase the deadline runs only while bytes wait for the client to read them. */
function noteAnswerProgress(connection: Connection, limits: GuardLimits, nowMs: number): void {
  const left = connection.socket.writableLength;
  if (left !== 0 && left === connection.answerBytesLeft) return;
  connection.answerBytesLeft = left;
  connection.deadlineMs = left === 0 ? Number.POSITIVE_INFINITY : nowMs + limits.progressMsMax;
}

function beginRequest(
  connection: Connection,
  request: IncomingMessage,
  response: ServerResponse,
  limits: GuardLimits,
  clock: Clock,
  isDraining: () => boolean,
): void {
  connection.openRequestCount++;
  if (connection.openRequestCount > limits.pipelinedRequestCountMax) {
    connection.socket.destroy();
    return;
  }
  connection.request = request;
  connection.progressBytes = 0;
  const contentLength = request.headers["content-length"];
  const hasBody = request.headers["transfer-encoding"] !== undefined || (contentLength !== undefined && contentLength !== "0");
  if (hasBody) enter(connection, "body", clock.monotonicMs() + limits.progressMsMax);
  else enter(connection, "answer", Number.POSITIVE_INFINITY);

  request.once("end", () => {
    if (connection.request === request && connection.phase === "body") enter(connection, "answer", Number.POSITIVE_INFINITY);
    if (connection.request === request && connection.phase === "drain") enter(connection, "idle", clock.monotonicMs() + limits.idleMsMax);
  });
  response.once("close", () => {
    connection.openRequestCount--;
    if (connection.request !== request) return;
    if (isDraining()) connection.socket.destroy();
    else if (hasBody && !request.complete) {
      enter(connection, "drain", clock.monotonicMs() + limits.progressMsMax);
      request.resume();
    } else enter(connection, "idle", clock.monotonicMs() + limits.idleMsMax);
  });
}

function enter(connection: Connection, phase: Phase, deadlineMs: number): void {
  connection.phase = phase;
  connection.deadlineMs = deadlineMs;
  connection.progressBytes = 0;
  connection.answerBytesLeft = 0;
}
