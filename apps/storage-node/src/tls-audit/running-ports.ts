/** Asks the running node, through its control socket, where its own ports are. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { Fault } from "@holdfast/base";
import { parseHostName } from "@holdfast/pki";
import { z } from "zod";
import type { ProbeTarget } from "./probe.ts";

const portNumber = z.int().min(1).max(65_535);
/** Answer to `POST /ports` on the control socket. */
const runningPorts = z.strictObject({
  agentPort: portNumber,
  frontPort: portNumber,
  /** Address that the ports listen on. */
  listenHost: z.string().max(253).optional(),
  hostNames: z.array(z.string().max(253)).max(64).optional(),
});
export type RunningPorts = z.infer<typeof runningPorts>;

const HOW_ELSE = "name the port with --host HOST:PORT";

/** What to probe of a node with these ports: both, on loopback where it listens on every address. */
export function targetsOf({ agentPort, frontPort, listenHost, hostNames }: RunningPorts): ProbeTarget[] {
  const host = listenHost === undefined || listenHost === "0.0.0.0" ? "127.0.0.1" : listenHost === "::" ? "::1" : listenHost;
  const serverName = hostNames?.find((name) => parseHostName(name).kind === "dns");
  const common = { host, ...(serverName === undefined ? {} : { serverName }) };
  return [
    { label: "agent port", port: agentPort, ...common },
    { label: "front port", port: frontPort, ...common },
  ];
}

/** Ports of the node that serves the control socket at `path`. No node there: `missing`; one that does not tell: `input`. */
export async function askForPorts(path: string): Promise<RunningPorts> {
  const { status, body } = await ask(path);
  if (status !== 200) throw new Fault("input", `storage node: does not tell its ports; ${HOW_ELSE}`);
  try {
    return runningPorts.parse(JSON.parse(body));
  } catch (cause) {
    throw new Fault("input", `storage node: tells its ports in words that are not known here; ${HOW_ELSE}`, { cause });
  }
}

function ask(path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: path, path: "/ports", method: "POST", headers: { "content-length": 2 } }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    outgoing.on("error", (cause) =>
      reject(new Fault("missing", `storage node: does not run here; start holdfast-node serve first, or ${HOW_ELSE}`, { cause })),
    );
    outgoing.end("{}");
  });
}
