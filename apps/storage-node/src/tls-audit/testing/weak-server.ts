/** Deliberately weak TLS servers of other makers, for tests: `openssl s_server` and a few lines of Java. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { fetchChainNode } from "../certificate-node.ts";
import { type CipherAuditOptions, runCipherAudit } from "../cipher-audit.ts";
import { dialNode } from "../dial-node.ts";
import type { CipherAuditReport } from "../report.ts";

export interface WeakServer extends Disposable {
  readonly port: number;
}

export const SKIP_OPENSSL: string | false = spawnSync("openssl", ["version"]).status === 0 ? false : "NOT RUN: needs openssl";
export const SKIP_JAVA: string | false = spawnSync("java", ["-version"]).status === 0 ? SKIP_OPENSSL : "NOT RUN: needs java";
for (const reason of new Set([SKIP_OPENSSL, SKIP_JAVA])) if (reason !== false) console.warn(`weak TLS servers: ${reason}`);

/** Everything that this OpenSSL has, down to its lowest level of security. */
export const ALL_SUITES = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

/** Certificates and servers in a folder of their own. */
export class WeakBench implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-weak-"));
  #count = 0;

  /** A self-signed certificate: `args` say kind of key, hash and lifetime. */
  selfSigned(...args: string[]): { readonly cert: string; readonly key: string } {
    const [cert, key] = [this.#path("cert.pem"), this.#path("key.pem")];
    execFileSync("openssl", ["req", "-x509", "-nodes", "-subj", "/CN=weak", "-keyout", key, "-out", cert, ...args], { stdio: "ignore" });
    return { cert, key };
  }

  file(content: string): string {
    const path = this.#path("file");
    writeFileSync(path, content);
    return path;
  }

  /** `openssl s_server` on a free port; resolves once it accepts. */
  openssl({ cert, key }: { cert: string; key: string }, ...args: string[]): Promise<WeakServer> {
    return portOf(spawn("openssl", ["s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, ...args]), /ACCEPT [^\n]*:(\d+)/);
  }

  /** A server under Java with every protocol and suite that it has, among them SSL 3, RC4, DES and EXPORT. */
  java({ cert, key }: { cert: string; key: string }): Promise<WeakServer> {
    const store = this.#path("store.p12");
    execFileSync("openssl", ["pkcs12", "-export", "-in", cert, "-inkey", key, "-out", store, "-passout", "pass:changeit"]);
    const source = `${this.#path("java")}-Weak.java`;
    writeFileSync(source, JAVA_SERVER);
    return portOf(spawn("java", ["-XX:TieredStopAtLevel=1", source, store]), /^(\d+)$/m);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(suffix: string): string {
    return join(this.#folder, `${this.#count++}-${suffix}`);
  }
}

/** An audit of one loopback port by real sockets. */
export function auditPort(port: number, options: Partial<CipherAuditOptions> = {}): Promise<CipherAuditReport> {
  return runCipherAudit({
    ports: [{ label: "port", host: "127.0.0.1", port }],
    dial: dialNode,
    fetchChain: fetchChainNode,
    clock: createSystemClock(),
    random: createSystemRandom(),
    ...options,
  });
}

/** What a report names, as `TLS 1.0 3DES TLS_RSA_WITH_3DES_EDE_CBC_SHA`. */
export function namesOf(report: CipherAuditReport): string[] {
  return report.findings.map(({ protocol, class: what, suite }) =>
    [protocol ?? "certificate", what, suite?.name].filter((part) => part !== undefined).join(" "),
  );
}

export const disk = createNodeDisk();

function portOf(child: ChildProcess, pattern: RegExp): Promise<WeakServer> {
  return new Promise((resolve, reject) => {
    let output = "";
    const take = (data: unknown): void => {
      output += String(data);
      const port = Number(pattern.exec(output)?.[1] ?? 0);
      if (port > 0) resolve({ port, [Symbol.dispose]: () => void child.kill("SIGKILL") });
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("close", () => reject(new Error(`weak server ended: ${output.slice(-500)}`)));
  });
}

const JAVA_SERVER = `
import java.io.FileInputStream;
import java.security.*;
import javax.net.ssl.*;

public class Weak {
  public static void main(String[] args) throws Exception {
    Security.setProperty("jdk.tls.disabledAlgorithms", "");
    Security.setProperty("jdk.tls.legacyAlgorithms", "");
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(new FileInputStream(args[0]), "changeit".toCharArray());
    KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
    keys.init(store, "changeit".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 50, java.net.InetAddress.getByName("127.0.0.1"));
    server.setEnabledProtocols(new String[] {"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"});
    server.setEnabledCipherSuites(server.getSupportedCipherSuites());
    System.out.println(server.getLocalPort());
    while (true) {
      SSLSocket socket = (SSLSocket) server.accept();
      new Thread(() -> {
        try (socket) { socket.setSoTimeout(2000); socket.startHandshake(); } catch (Exception refused) { }
      }).start();
    }
  }
}
`;
