/** The audit's socket port over `node:net`. */
import { connect } from "node:net";
import { concatBytes } from "@holdfast/base";
import type { Dial, DialAnswer } from "./dial.ts";

/** Pieces in which an answer may come: each is looked at with all before it, so a server that drips bytes would cost us much. */
const PIECES_MAX = 512;

export const dialNode: Dial = (request) => {
  const { host, port, bytes, bytesMax, isEnough, signal } = request;
  return new Promise((resolve) => {
    let received = new Uint8Array(0);
    let pieceCount = 0;
    let isConnected = false;
    if (signal.aborted) return resolve({ end: "silent", bytes: received });
    const socket = connect({ host, port });
    const finish = (end: DialAnswer["end"]): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve({ end, bytes: received });
    };
    const onAbort = (): void => finish(isConnected ? "silent" : "unreachable");
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("connect", () => {
      isConnected = true;
      socket.write(bytes);
    });
    socket.on("data", (data: Uint8Array) => {
      received = concatBytes(received, data.subarray(0, bytesMax - received.length));
      if (isEnough(received)) finish("enough");
      else if (received.length === bytesMax || ++pieceCount === PIECES_MAX) finish("full");
    });
    socket.on("error", () => finish(isConnected ? "closed" : "unreachable"));
    socket.on("close", () => finish(isConnected ? "closed" : "unreachable"));
  });
};
