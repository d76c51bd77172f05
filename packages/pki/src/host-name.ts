/** Names that a server answers to: DNS names and IP addresses in one canonical form, so that equal names are equal text. */
import { Fault } from "@holdfast/base";

export interface HostName {
  readonly kind: "dns" | "ip";
  /** DNS in lower case without a final dot; IPv4 dotted; IPv6 as RFC 5952 writes it, without brackets. */
  readonly value: string;
}

const DNS_CHARACTERS_MAX = 253;
const DNS_NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const IPV6 = /^[0-9a-f:.]{2,45}$/i;

/** Checks and normalises `text`. No wildcards, no zones, and internationalised names in their ASCII form only; else `input`. */
export function parseHostName(text: string): HostName {
  const name = toHostName(text);
  if (name === null) throw new Fault("input", `host name: neither a name nor an address, got ${JSON.stringify(text.slice(0, 64))}`);
  return name;
}

/** The same, or `null`. */
export function toHostName(text: string): HostName | null {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (bare.includes(":")) {
    const value = canonicalIpv6(bare);
    if (value !== null) return { kind: "ip", value };
  } else if (bare === text) {
    const name = text.toLowerCase().replace(/\.$/, "");
    if (IPV4.test(name)) return { kind: "ip", value: name.split(".").map(Number).join(".") };
    // All digits in the last label: an IPv4 address in some odd form, which resolvers read in different ways.
    const isAddressLike = /(^|\.)\d+$/.test(name);
    if (!isAddressLike && name.length <= DNS_CHARACTERS_MAX && DNS_NAME.test(name)) return { kind: "dns", value: name };
  }
  return null;
}

function canonicalIpv6(text: string): string | null {
  if (!IPV6.test(text)) return null;
  try {
    return new URL(`http://[${text}]`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}
