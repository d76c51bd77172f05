/** The `host` header, which the request signature covers as `@authority`. */

/** `host:port`, an IPv6 address in brackets (RFC 3986 §3.2.2). */
export function authorityOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
